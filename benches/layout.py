#!/usr/bin/env python3
"""Writes the linker script that puts together what hooks and short commands run.

    cargo layout
    python3 benches/layout.py target/x86_64-unknown-linux-gnu/release/git-godzilla target/layout.map > layout.ld
    mv layout.ld .cargo/ && touch src/main.rs && cargo dist

A start costs what it must map: with the functions of a hook spread over 14 MB a fourth of its time went into page
faults. What the commands below run is found by valgrind. Names that no longer match are passed over by the linker, and
those that are missing stay where they were: an old file makes a slower program and no other.
"""

import argparse
import bisect
import os
import re
import subprocess
import tempfile
from pathlib import Path

# How much of a name is written: the rest tells types apart that are seldom used side by side.
LONGEST = 120

# For which processors the C library has functions of their own; valgrind is none of the newest.
PROCESSORS = ("evex", "avx", "sse")

HEAD = """\
/* Written by benches/layout.py, which says why. The functions that hooks and short commands run lie together. */
SECTIONS
{
  .text.quick :
  {
"""
TAIL = """\
  }
}
INSERT BEFORE .text;
"""


def functions_run(binary):
    """The mangled names of what the commands run, in the order in which it is first run."""
    with tempfile.TemporaryDirectory() as root:
        root = Path(root)
        (root / "gitconfig").write_text("[user]\n\tname = A\n\temail = a@example.com\n[init]\n\tdefaultBranch = main\n")
        env = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "GODZILLA"))}
        env.update(HOME=str(root), GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL=str(root / "gitconfig"))
        names = {}

        def run(*args, cwd, **more):
            subprocess.run(args, cwd=cwd, env=env | more, check=True, stdout=subprocess.DEVNULL)

        def note(*args, cwd, **more):
            out = root / "calls"
            run("valgrind", "--quiet", "--tool=callgrind", "--demangle=no", f"--callgrind-out-file={out}", binary, *args,
                cwd=cwd, **more)
            for found in re.finditer(r"^c?fn=\(\d+\) (\S+)", out.read_text(errors="replace"), re.M):
                names.setdefault(found[1].split("'")[0])

        home = root / "home"
        run("git", "init", "-q", home, cwd=root)
        run("git", "commit", "-q", "--allow-empty", "-m", "first", cwd=home)
        run("git", "clone", "-q", "--bare", home, root / "remote", cwd=root)
        run("git", "remote", "add", "origin", root / "remote", cwd=home)
        run("git", "fetch", "-q", cwd=home)
        run(binary, "init", "--yes", "--no-hooks", cwd=home)
        run(binary, "plan", "One", "--step", "The form", "--step", "Another", cwd=home)
        work = home / "worktrees/0001-one"
        hook = {"cwd": work, "GIT_DIR": str(home / ".git/worktrees/0001-one")}
        message = root / "message"
        for number in range(3):
            (work / "file").write_text(f"{number}\n")
            run("git", "add", "file", cwd=work)
            message.write_text("feat: the form\n")
            note("hook", "commit-msg", "--via", "file", "--", message, **hook)
            run("git", "commit", "-q", "-F", message, cwd=work)
            note("hook", "post-commit", "--via", "file", "--", **hook)
        run("git", "gc", "-q", cwd=home)
        message.write_text("feat: the form\n")
        note("hook", "commit-msg", "--via", "file", "--", message, **hook)
        for args in (["list", "--json"], ["list"], ["comment", "A word", "-p", "1"], ["status"], ["show", "1"]):
            for _ in range(2):
                note(*args, cwd=home)
        return list(names)


def pattern(section):
    """What matches the section of a function in any build. The hashes of crates differ, and with them the places that a
    name refers back to; what the compiler shares between modules has a number at its end."""
    section = re.sub(r"\.llvm\.\d+$", "", section)
    section = re.sub(r"Cs[0-9a-zA-Z]+_", "Cs*_", section)
    section = re.sub(r"B[0-9a-zA-Z]+_", "B*_", section)
    return section[:LONGEST].rstrip("*") + "*"


def sections(map_file):
    """The sections of code that the linker put together: where each begins, and its file and name."""
    found = []
    for line in map_file.read_text(errors="replace").splitlines():
        fields = line.split(maxsplit=4)
        if len(fields) == 5 and ":(.text" in fields[4]:
            file, _, name = fields[4].rpartition(":(")
            found.append((int(fields[0], 16), file, name.removesuffix(")")))
    return sorted(found)


def places(binary):
    """Where the functions of each name begin."""
    found = {}
    listed = subprocess.run(["nm", binary], capture_output=True, text=True, check=True).stdout
    for fields in map(str.split, listed.splitlines()):
        if len(fields) == 3 and fields[1] in "tTwWi":
            found.setdefault(fields[2], []).append(int(fields[0], 16))
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=Path)
    parser.add_argument("map", type=Path)
    args = parser.parse_args()
    laid, begin = sections(args.map), places(args.binary)
    starts = [start for start, _, _ in laid]
    lines, by_processor = {}, {}
    for name in functions_run(args.binary.resolve()):
        for place in begin.get(name, []):
            _, file, section = laid[bisect.bisect_right(starts, place) - 1]
            archive, _, member = Path(file).name.partition("(")
            function, _, variant = member.removesuffix(".o)").partition("-")
            if section.startswith((".text._R", ".text.unlikely._R")) or section == ".text.main":
                lines.setdefault(f"*({pattern(section)})")
            elif variant.startswith(PROCESSORS):
                by_processor.setdefault((archive, function))
            elif member:
                lines.setdefault(f"*{archive}:{member.removesuffix(')')}(.text .text.*)")
    for processor in PROCESSORS:
        for archive, function in by_processor:
            lines.setdefault(f"*{archive}:{function}-{processor}*.o(.text .text.*)")
    print(HEAD + "".join(f"    {line}\n" for line in lines) + TAIL, end="")


main()
