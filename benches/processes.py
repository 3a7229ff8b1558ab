#!/usr/bin/env python3
"""Times whole processes side by side and prints ratios.

    cargo build --release && cargo build --release --example generate --example fold
    python3 benches/processes.py [--rounds 40] [--only hooks,list,...] [--dir DIR]

Each row runs its variants interleaved, in a new order each round, after three rounds of warming up.
The median of the wall time and of the CPU time (user and system, children included) is printed for
each, with the ratio to the row's first variant. Machines are noisy: read the ratios, and of them
the CPU column. Needs only git and Python; prek, br and backlog are measured where they are on PATH.
"""

import argparse
import contextlib
import gzip
import http.server
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
BIN = TARGET / "git-godzilla"


def env(home):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "GODZILLA"))}
    clean.update(HOME=str(home), GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL=str(home / "gitconfig"), LC_ALL="C")
    clean["PATH"] = f"{TARGET}:{clean['PATH']}"
    return clean


class Area:
    def __init__(self, root):
        self.root = Path(root)
        self.root.mkdir(parents=True, exist_ok=True)
        self.env = env(self.root)
        (self.root / "gitconfig").write_text(
            "[user]\n\tname = Bench\n\temail = bench@example.com\n[init]\n\tdefaultBranch = main\n"
            "[gc]\n\tauto = 0\n[advice]\n\tdetachedHead = false\n"
        )

    def run(self, args, cwd, check=True, **kwargs):
        return subprocess.run([str(a) for a in args], cwd=cwd, env=self.env, check=check, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, **kwargs)

    def repo(self, name, remote=False):
        path = self.root / name
        if path.exists():
            return path
        self.run(["git", "init", "-q", path], self.root)
        (path / "file").write_text("0\n")
        self.run(["git", "add", "."], path)
        self.run(["git", "commit", "-qm", "first"], path)
        if remote:
            self.run(["git", "init", "-q", "--bare", f"{path}.git"], self.root)
            self.run(["git", "remote", "add", "origin", f"{path}.git"], path)
            self.run(["git", "push", "-q", "origin", "main"], path)
        return path

    def many(self, n, events=20, packed=False, remote=False):
        name = f"many-{n}-{events}{'-packed' if packed else ''}{'-remote' if remote else ''}"
        path = self.root / name
        if not path.exists():
            self.repo(name, remote)
            self.run([TARGET / "examples/generate", path, n, events], path)
            self.run([BIN, "init", "--yes", "--no-hooks"], path)
            if packed:
                self.run(["git", "gc", "-q", "--prune=now"], path)
        return path


def cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(title, variants, rounds):
    """variants: name -> (prepare, run). Returns name -> (median wall ms, median cpu ms)."""
    times = {name: ([], []) for name in variants}
    for number in range(rounds + 3):
        order = list(variants)
        random.shuffle(order)
        for name in order:
            prepare, run = variants[name]
            if prepare:
                prepare()
            before, start = cpu(), time.perf_counter()
            run()
            wall, used = time.perf_counter() - start, cpu() - before
            if number >= 3:
                times[name][0].append(wall * 1000)
                times[name][1].append(used * 1000)
    result = {name: (statistics.median(w), statistics.median(c)) for name, (w, c) in times.items()}
    first = next(iter(result.values()))
    print(f"\n### {title} ({rounds} rounds)\n")
    print("| variant | wall ms | ratio | CPU ms | ratio |\n|---|---:|---:|---:|---:|")
    for name, (wall, used) in result.items():
        print(f"| {name} | {wall:.1f} | {wall / first[0]:.2f} | {used:.1f} | {used / max(first[1], 0.01):.2f} |")
    sys.stdout.flush()
    return result


def added(result, with_it, without, against, against_base):
    for idx, unit in ((0, "wall"), (1, "CPU")):
        ours = result[with_it][idx] - result[without][idx]
        theirs = result[against][idx] - result[against_base][idx]
        print(f"\nadded {unit}: {with_it} {ours:.1f} ms, {against} {theirs:.1f} ms, ratio {ours / max(theirs, 0.01):.2f}")


def hooks(area, rounds):
    def setup(name, protocol):
        repo = area.repo(f"hooks-{name}")
        if not (repo / ".git/godzilla").exists():
            area.run([BIN, "init", "--yes"], repo)
        work = repo
        if protocol:
            planned = area.run([BIN, "plan", f"Task {name}", "--step", "Work", "--json"], repo)
            work = Path(json.loads(planned.stdout)["worktree"])
        return repo, work

    def commit(work):
        counter = [0]

        def run():
            counter[0] += 1
            (work / "file").write_text(f"{time.time()} {counter[0]}\n")
            area.run(["git", "commit", "-qam", "feat(x): a change"], work)

        return run

    _, ours = setup("ours", True)
    plain = area.repo("hooks-none")
    none = plain / "worktrees/0001-task-none"
    if not none.exists():
        area.run(["git", "worktree", "add", "-qb", none.name, none], plain)
    variants = {"no hooks": (None, commit(none)), "ours, protocol branch": (None, commit(ours))}
    main_repo, main_work = setup("main", False)
    variants["ours, other branch"] = (None, commit(main_work))

    def empty_hooks(repo):
        for event in ("prepare-commit-msg", "commit-msg", "post-commit", "post-rewrite", "pre-push", "post-merge",
                      "post-checkout"):
            hook = repo / ".git/hooks" / event
            hook.parent.mkdir(exist_ok=True)
            hook.write_text("#!/bin/sh\nexit 0\n")
            hook.chmod(0o755)
        return repo

    for name, protocol in (("protocol", True), ("other", False)):
        repo = area.repo(f"hooks-chained-{name}")
        if not (repo / ".git/godzilla").exists():
            empty_hooks(repo)
        _, work = setup(f"chained-{name}", protocol)
        variants[f"ours before those of others, {name} branch"] = (None, commit(work))
    variants["empty sh hooks, the same events"] = (None, commit(empty_hooks(area.repo("hooks-empty"))))
    prek = shutil.which("prek")
    if prek:
        repo = area.repo("hooks-prek")
        (repo / ".pre-commit-config.yaml").write_text(
            "repos:\n- repo: local\n  hooks:\n  - {id: t, name: t, entry: 'true', language: system, pass_filenames: false,"
            " always_run: true}\n")
        area.run(["git", "add", "."], repo)
        area.run(["git", "commit", "-qm", "config"], repo)
        area.run([prek, "install"], repo)
        variants["prek, one trivial hook"] = (None, commit(repo))
    result = measure("hooks: one commit", variants, rounds)
    if prek:
        added(result, "ours, protocol branch", "no hooks", "prek, one trivial hook", "no hooks")
        added(result, "ours before those of others, protocol branch", "empty sh hooks, the same events",
              "prek, one trivial hook", "no hooks")
    added(result, "ours, other branch", "no hooks", "empty sh hooks, the same events", "no hooks")
    added(result, "ours before those of others, other branch", "empty sh hooks, the same events",
          "empty sh hooks, the same events", "no hooks")


def list_rows(area, rounds):
    for n, packed in ((1000, False), (1000, True), (10000, True)):
        repo = area.many(n, packed=packed)
        refs = ["git", "for-each-ref", "--format=%(refname) %(objectname)", "refs/godzilla/"]
        area.run([BIN, "list", "--json"], repo)
        measure(f"list --json, {n} protocols, {'packed' if packed else 'loose'}, warm", {
            "git for-each-ref": (None, lambda: area.run(refs, repo)),
            "git godzilla list --json": (None, lambda: area.run([BIN, "list", "--json"], repo)),
        }, rounds)
        objects = batch_input(area, repo)
        cache = repo / ".git/godzilla/cache"

        def plain():
            area.run(refs, repo)
            area.run(["git", "cat-file", "--batch"], repo, input=objects)

        measure(f"list --json, {n} protocols, {'packed' if packed else 'loose'}, cold cache", {
            "git for-each-ref + cat-file --batch": (None, plain),
            "git godzilla list --json": (lambda: shutil.rmtree(cache, ignore_errors=True),
                                         lambda: area.run([BIN, "list", "--json"], repo)),
        }, max(5, rounds // 4))
        peak = area.run(["/usr/bin/env", "python3", "-c",
                         "import resource,subprocess,sys;subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,check=True);"
                         "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)", BIN, "list", "--json"], repo)
        shutil.rmtree(cache, ignore_errors=True)
        cold = area.run(["/usr/bin/env", "python3", "-c",
                         "import resource,subprocess,sys;subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,check=True);"
                         "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)", BIN, "list", "--json"], repo)
        print(f"\npeak memory: warm {int(peak.stdout) / 1024:.0f} MiB, cold {int(cold.stdout) / 1024:.0f} MiB")


def doctor(area, rounds):
    for n in (1000, 10000):
        repo = area.many(n, packed=True)
        area.run([BIN, "list"], repo)
        measure(f"doctor --json, {n} protocols, packed, warm", {
            "git fsck --connectivity-only": (None, lambda: area.run(["git", "fsck", "--connectivity-only"], repo)),
            "git godzilla list --json": (None, lambda: area.run([BIN, "list", "--json"], repo)),
            "git godzilla doctor --json": (None, lambda: area.run([BIN, "doctor", "--json"], repo)),
        }, min(rounds, 10))


def qa(area, rounds):
    """What it costs to have gates run by us: the difference to running them from a shell."""
    repo = area.root / "qa"
    if not repo.exists():
        area.repo("qa")
        (repo / "scripts/ci").mkdir(parents=True)
        for name in ("lint", "test"):
            (repo / f"scripts/ci/{name}").write_text("#!/bin/sh\nexit 0\n")
            (repo / f"scripts/ci/{name}").chmod(0o755)
        area.run(["git", "add", "."], repo)
        area.run(["git", "commit", "-qm", "gates"], repo)
        area.run([BIN, "init", "--yes", "--no-hooks"], repo)
        area.run([BIN, "plan", "A task", "--step", "One"], repo)
        area.run([BIN, "trust", "--yes"], repo)
    place = repo / "worktrees/0001-a-task"
    shell = ["sh", "-c", "scripts/ci/lint && scripts/ci/test"]
    measure("qa of a clean worktree with two gates that do nothing", {
        "the gates from a shell": (None, lambda: area.run(shell, place)),
        "git godzilla qa": (None, lambda: area.run([BIN, "qa"], place)),
    }, rounds)


def engine(area, rounds):
    """What it costs to have an engine run by us: the difference to starting it, and committing, from a shell."""
    script = area.root / "engine.sh"
    script.write_text("#!/bin/sh\ncat >/dev/null\necho more >>work.txt\n"
                      "echo '{\"v\":1,\"status\":\"succeeded\",\"message\":\"done\"}'\n")
    script.chmod(0o755)
    for n_files in (1, 10_000):
        name = f"engine-{n_files}"
        repo = area.root / name
        if not repo.exists():
            area.repo(name)
            for n in range(n_files):
                path = repo / f"src/{n // 100}/file{n}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{n}\n")
            area.run(["git", "add", "."], repo)
            area.run(["git", "commit", "-qm", "files"], repo)
            area.run([BIN, "init", "--yes", "--no-hooks"], repo)
            area.run(["git", "config", "godzilla.engines.sh.argv", script], repo)
            area.run(["git", "config", "godzilla.phases.exec", "sh"], repo)
            steps = [arg for n in range(rounds + 20) for arg in ("--step", f"Step {n}")]
            area.run([BIN, "plan", "A task", "--qa", "skip", *steps], repo)
            area.run(["git", "branch", "by-hand"], repo)
            area.run(["git", "worktree", "add", "-q", area.root / f"{name}-by-hand", "by-hand"], repo)
        place, by_hand = repo / "worktrees/0001-a-task", area.root / f"{name}-by-hand"
        commit = ["sh", "-c", f"{script} </dev/null && git add -A && git commit -qm work"]
        measure(f"a run of an engine that does nothing, {n_files} files", {
            "the engine from a shell": (None, lambda: area.run(["sh", "-c", f"{script} </dev/null"], by_hand)),
            "the same, git add and git commit": (None, lambda: area.run(commit, by_hand)),
            "git godzilla run": (None, lambda: area.run([BIN, "run"], place)),
            "git godzilla run --dry-run": (None, lambda: area.run([BIN, "run", "--dry-run"], place)),
        }, rounds)


def flood(area, rounds):
    """The memory that a gigabyte of what an engine says takes; see also /proc/self/status of a run."""
    del rounds
    repo = area.root / "flood"
    script = area.root / "flood.sh"
    script.write_text("#!/bin/sh\nhead -c 1000000000 /dev/zero | tr '\\0' 'a' | fold -w 200\necho\necho x >work.txt\n"
                      "echo '{\"v\":1,\"status\":\"succeeded\",\"message\":\"done\"}'\n")
    script.chmod(0o755)
    if not repo.exists():
        area.repo("flood")
        area.run([BIN, "init", "--yes", "--no-hooks"], repo)
        area.run(["git", "config", "godzilla.engines.sh.argv", script], repo)
        area.run([BIN, "plan", "A task", "--qa", "skip", "--step", "One"], repo)
    place = repo / "worktrees/0001-a-task"
    began = time.monotonic()
    with subprocess.Popen([BIN, "run", "--engine", "sh"], cwd=place, env=area.env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as child:
        child.communicate()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"\na run whose engine says 1 GB: exit {child.returncode}, {time.monotonic() - began:.1f} s, "
          f"at most {used.ru_maxrss / 1024:.0f} MiB in any process")


def others(area, rounds):
    """Tools for the same purpose with as many items; each is measured where it is on PATH."""
    repo = area.many(1000, packed=True)
    ours = [BIN, "list", "--json"]
    area.run(ours, repo)
    variants = {"git godzilla list --json": (None, lambda: area.run(ours, repo))}
    for tool, fill, args in (("br", fill_br, ["br", "list", "--json", "--limit", "0"]),
                             ("backlog", fill_backlog, ["backlog", "task", "list", "--plain"])):
        if not shutil.which(tool):
            print(f"\n{tool} is not on PATH: not measured")
            continue
        place = area.root / f"others-{tool}"
        if not place.exists():
            place.mkdir()
            area.run(["git", "init", "-q"], place)
            fill(area, place)
        n_listed = area.run(args, place).stdout.count(b"Task ")
        assert n_listed >= 1000, f"{tool} lists {n_listed} of 1,000"
        variants[" ".join(args)] = (None, lambda args=args, place=place: area.run(args, place))
    measure("list of 1,000 items, warm", variants, rounds)


def fill_br(area, place):
    area.run(["br", "init"], place)
    for number in range(1, 1001):
        area.run(["br", "create", f"Task {number}"], place)


def fill_backlog(area, place):
    area.run(["backlog", "init", "bench", "--defaults"], place)
    area.run(["backlog", "task", "create", "Task 1"], place)
    first = place / "backlog/tasks/task-1 - Task-1.md"
    text = first.read_text()
    for number in range(2, 1001):
        mine = text.replace("TASK-1", f"TASK-{number}").replace("Task 1", f"Task {number}")
        (first.parent / f"task-{number} - Task-{number}.md").write_text(mine)


def batch_input(area, repo):
    """The objects that list reads: of each stream its commit, its trees, and all files but the snapshot."""
    def git(command, lines):
        return area.run(["git", "cat-file", command], repo, input=b"\n".join(lines) + b"\n").stdout

    tips = area.run(["git", "for-each-ref", "--format=%(objectname)", "refs/godzilla/protocols/"], repo).stdout.split()
    known, folders = [], []
    for tip in tips:
        known += [tip, tip + b"^{tree}", tip + b":format"]
        folders += [tip + b":events", tip + b":specs"]
    found = [line.split()[0] for line in git("--batch-check=%(objectname)", known + folders).splitlines()]
    files = [oid for _, tree in batch(git("--batch", found[len(known):])) for oid in entries(tree)]
    return b"\n".join(found + files) + b"\n"


def batch(output):
    """Takes the output of `git cat-file --batch` apart: (oid, content) of each object."""
    at = 0
    while at < len(output):
        end = output.index(b"\n", at)
        oid, _, size = output[at:end].split()
        at = end + 1 + int(size) + 1
        yield oid, output[end + 1:at - 1]


def entries(tree):
    """The object ids of the entries of a tree of SHA-1s."""
    at = 0
    while at < len(tree):
        at = tree.index(b"\0", at) + 21
        yield tree[at - 20:at].hex().encode()


def append(area, rounds):
    repo = area.many(1000)
    plain = area.repo("append-plain")
    counter = [0]

    def comment():
        counter[0] += 1
        area.run([BIN, "comment", f"note {counter[0]}", "-p", "0007-task-7"], repo)

    one = area.many(1)
    measure("append one event", {
        "git commit --allow-empty": (None, lambda: area.run(["git", "commit", "-q", "--allow-empty", "-m", "x"], plain)),
        "git godzilla comment, 1 protocol": (None, lambda: area.run([BIN, "comment", "a note", "-p", "0001-task-1"], one)),
        "git godzilla comment, 1,000 protocols": (None, comment),
    }, rounds)


def plan(area, rounds):
    repo = area.many(1000)
    plain = area.many(1000)
    files = {}
    counter = [0]

    def ours():
        counter[0] += 1
        planned = area.run([BIN, "plan", f"Bench {counter[0]}", "--step", "One", "--step", "Two", "--json"], repo)
        if not files:
            work = Path(json.loads(planned.stdout)["worktree"])
            for path in sorted((work / ".protocols").rglob("*.md")):
                files[path.relative_to(work)] = path.read_text()

    ours()

    def theirs():
        counter[0] += 1
        work = plain / "worktrees" / f"w{counter[0]}"
        area.run(["git", "worktree", "add", "-q", "-b", f"w{counter[0]}", work], plain)
        for path, text in files.items():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).write_text(text)
        area.run(["git", "add", "."], work)
        area.run(["git", "commit", "-qm", "plan"], work)

    measure("plan one protocol at 1,000", {
        "git worktree add -b, git add, git commit": (None, theirs),
        "git godzilla plan": (None, ours),
    }, rounds)


def fold(area, rounds):
    repo = area.many(1000, events=1000, packed=True)
    tips = area.run(["git", "for-each-ref", "--format=%(objectname):events", "refs/godzilla/protocols/"], repo).stdout
    folders = area.run(["git", "cat-file", "--batch"], repo, input=tips).stdout
    segments = b"\n".join(oid for _, tree in batch(folders) for oid in entries(tree)) + b"\n"
    measure("fold 1,000,000 events", {
        "git cat-file --batch": (None, lambda: area.run(["git", "cat-file", "--batch"], repo, input=segments)),
        "read and fold": (None, lambda: area.run([TARGET / "examples/fold", repo], repo)),
    }, max(5, rounds // 8))


class NewCommits:
    """Commits that no remote has: each with a tree and a file of its own, as a report has."""

    def __init__(self, area, repo):
        self.area, self.repo, self.count, self.made = area, repo, 0, None

    def make(self):
        self.count += 1
        blob = self.ask(["git", "hash-object", "-w", "--stdin"], f"{time.time()} {self.count}\n")
        tree = self.ask(["git", "mktree"], f"100644 blob {blob}\tfile\n")
        self.made = self.ask(["git", "commit-tree", tree, "-m", "x"])

    def ask(self, args, text=""):
        return self.area.run(args, self.repo, input=text.encode()).stdout.decode().strip()

    def push(self):
        self.area.run(["git", "push", "-q", "origin", f"{self.made}:refs/bench/{time.time_ns()}"], self.repo)


def ci_row(area, rounds, title, work):
    new = NewCommits(area, work)

    def known():
        area.run(["git", "push", "-q", "origin", f"HEAD:refs/known/{time.time_ns()}"], work)

    measure(f"ci-report, {title}", {
        "git push of one ref with a new commit": (new.make, new.push),
        "git push of one ref, nothing to send": (None, known),
        "git godzilla ci-report": (None, lambda: area.run([BIN, "ci-report", "success", "--job", "test"], work)),
    }, rounds)


def ci_checkout(area, url, name):
    work = area.root / name
    if not work.exists():
        area.run(["git", "clone", "-q", "--depth=1", url, work], area.root)
        area.run(["git", "checkout", "-q", "--detach"], work)
    area.run(["git", "remote", "set-url", "origin", url], work)
    return work


def ci(area, rounds):
    repo = area.repo("ci", remote=True)
    ci_row(area, rounds, "file transport", ci_checkout(area, f"file://{repo}.git", "ci-checkout"))
    area.run(["git", "config", "http.receivepack", "true"], f"{repo}.git")
    with smart_http(area) as port:
        url = f"http://127.0.0.1:{port}/ci.git"
        ci_row(area, rounds, "http", ci_checkout(area, url, "ci-checkout-http"))
        print("\nrequests: " + ", ".join(f"{name} {count}" for name, count in requests_of_each(area, url).items()))


class Backend(http.server.BaseHTTPRequestHandler):
    """git's own http-backend, as a CGI program."""

    protocol_version = "HTTP/1.1"
    requests = 0

    def answer(self):
        type(self).requests += 1
        path, _, query = self.path.partition("?")
        length = self.headers.get("Content-Length")
        body = self.rfile.read(int(length)) if length else self.chunks()
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        env = dict(self.server.env, GIT_PROJECT_ROOT=str(self.server.root), GIT_HTTP_EXPORT_ALL="1", PATH_INFO=path,
                   QUERY_STRING=query, REQUEST_METHOD=self.command, REMOTE_USER="bench", REMOTE_ADDR="127.0.0.1",
                   CONTENT_TYPE=self.headers.get("Content-Type", ""), CONTENT_LENGTH=str(len(body)),
                   GIT_PROTOCOL=self.headers.get("Git-Protocol", ""))
        done = subprocess.run(["git", "http-backend"], input=body, env=env, stdout=subprocess.PIPE, check=True)
        head, _, text = done.stdout.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        self.send_response(status)
        for name, value in headers:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = answer

    def chunks(self):
        body = b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        return body

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def smart_http(area):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    server.root, server.env = area.root, area.env
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def requests_of_each(area, url):
    work = ci_checkout(area, url, "ci-checkout-http")
    new = NewCommits(area, work)
    new.make()
    counts = {}
    for name, run in (("git push", new.push),
                      ("ci-report", lambda: area.run([BIN, "ci-report", "success", "--job", "test"], work))):
        Backend.requests = 0
        run()
        counts[name] = Backend.requests
    return counts


def sync(area, rounds):
    repo = area.many(1000, remote=True)
    area.run([BIN, "sync"], repo)
    plain = area.repo("sync-plain", remote=True)
    new, alone = NewCommits(area, repo), NewCommits(area, plain)

    def touch():
        area.run([BIN, "comment", "a note", "-p", "7"], repo)

    def bare(commits):
        def run():
            area.run(["git", "fetch", "-q"], commits.repo)
            commits.push()
        return run

    measure("sync with 1,000 live protocols", {
        "git fetch + git push of one new commit, same repository": (new.make, bare(new)),
        "git fetch + git push of one new commit, without state": (alone.make, bare(alone)),
        "git godzilla sync, nothing to do": (None, lambda: area.run([BIN, "sync"], repo)),
        "git godzilla sync, one protocol changed": (touch, lambda: area.run([BIN, "sync"], repo)),
    }, max(5, rounds // 2))


def over(area, n, archived):
    """A repository with n protocols that are over, and twenty that go on, and its remote."""
    path = area.root / f"over-{n}-{'archived' if archived else 'live'}"
    if not path.exists():
        area.repo(path.name, remote=True)
        area.run([TARGET / "examples/generate", path, n, "--over"], path)
        area.run([TARGET / "examples/generate", path, 20, "--from", n + 1], path)
        area.run([BIN, "init", "--yes", "--no-hooks"], path)
        if archived:
            area.run([BIN, "archive", "--all"], path)
            area.run(["git", "reflog", "expire", "--expire=now", "--all"], path)
        area.run(["git", "gc", "-q", "--prune=now"], path)
        if archived:
            area.run([BIN, "sync"], path)
            area.run([BIN, "list", "--all"], path)
            area.run(["git", "gc", "-q", "--prune=now"], f"{path}.git")
    return path


def advertised(area, clone):
    """The bytes that the server says before a push, in a clone that knows nothing of state."""
    trace = area.root / "packets"
    trace.unlink(missing_ok=True)
    (clone / "file").write_text(f"{time.time()}\n")
    area.run(["git", "commit", "-qam", "a change"], clone)
    subprocess.run(["git", "push", "-q", "origin", "HEAD:refs/heads/other"], cwd=clone, check=True,
                   env=area.env | {"GIT_TRACE_PACKET": str(trace)})
    said = 0
    for line in trace.read_text(errors="replace").splitlines():
        packet = line.partition("push< ")[2]
        if packet.startswith("0000"):
            break
        said += len(packet) + 5 if packet else 0
    return said


def archived(area, rounds):
    n = 10000
    repo, live = over(area, n, True), over(area, n, False)
    refs = ["git", "for-each-ref", "--format=%(refname) %(objectname)"]
    print(f"\n### {n} protocols that are over, 20 that go on\n")
    for name, place in (("archived", repo), ("not archived", live)):
        ours = area.run([*refs, "refs/godzilla/"], place).stdout.count(b"\n")
        packs = sum(pack.stat().st_size for pack in (place / ".git/objects/pack").iterdir())
        packed_refs = (place / ".git/packed-refs").stat().st_size
        print(f"{name}: {ours} refs, packs of {packs / 1e6:.1f} MB, packed-refs of {packed_refs / 1e3:.0f} kB")
    said = {}
    for name, remote in (("with state", f"{repo}.git"), ("without", f"{area.repo('nobody', remote=True)}.git")):
        clone = area.root / f"stranger-{name.replace(' ', '-')}"
        if not clone.exists():
            area.run(["git", "clone", "-q", remote, clone], area.root)
        said[name] = advertised(area, clone)
    print(f"a push by somebody else: {said['with state']} bytes of advertisement, "
          f"{said['without']} without state")
    listing = ["git", "ls-tree", "-d", "refs/godzilla/archive"]
    measure(f"{n} archived protocols, reading, warm", {
        "git for-each-ref, not archived": (None, lambda: area.run(refs, live)),
        "git for-each-ref": (None, lambda: area.run(refs, repo)),
        "git ls-tree of the archive": (None, lambda: area.run(listing, repo)),
        "git godzilla list --json": (None, lambda: area.run([BIN, "list", "--json"], repo)),
        "git godzilla list --all --json": (None, lambda: area.run([BIN, "list", "--all", "--json"], repo)),
        "git godzilla list --json, not archived": (None, lambda: area.run([BIN, "list", "--json"], live)),
        "git godzilla show, archived": (None, lambda: area.run([BIN, "show", str(n // 2)], repo)),
        "git godzilla plan --dry-run": (None, lambda: area.run([BIN, "plan", "x", "--dry-run"], repo)),
    }, max(5, rounds // 2))
    plain = area.repo("archived-plain", remote=True)
    new, alone = NewCommits(area, repo), NewCommits(area, plain)

    def bare(commits):
        def run():
            area.run(["git", "fetch", "-q"], commits.repo)
            commits.push()
        return run

    def touch():
        area.run([BIN, "comment", "a note", "-p", str(n + 7)], repo)

    measure(f"sync with {n} archived protocols", {
        "git fetch + git push of one new commit, same repository": (new.make, bare(new)),
        "git fetch + git push of one new commit, without state": (alone.make, bare(alone)),
        "git godzilla sync, nothing to do": (None, lambda: area.run([BIN, "sync"], repo)),
        "git godzilla sync, one protocol changed": (touch, lambda: area.run([BIN, "sync"], repo)),
    }, max(5, rounds // 2))


def merge(area, rounds):
    """A base with 10,000 commits since the branch point, each to one of 100 files, that holds no merge."""
    repo = area.repo("merge-10000")
    if not (repo / ".git/godzilla").exists():
        for number in range(100):
            (repo / f"{number}.txt").write_text("0\n")
        area.run(["git", "add", "."], repo)
        area.run(["git", "commit", "-qm", "files"], repo)
        area.run([BIN, "init", "--yes", "--no-hooks"], repo)
        work = json.loads(area.run([BIN, "plan", "A plan", "--step", "One", "--json"], repo).stdout)["worktree"]
        for name in ("1.txt", "2.txt"):
            (Path(work) / name).write_text("work\n")
            area.run(["git", "commit", "-qam", f"feat: {name}"], work)
        area.run([BIN, "list"], repo)
        now, stream = int(time.time()), []
        for number in range(10000):
            text = f"{number}\n"
            stream.append(f"commit refs/heads/main\ncommitter Bench <bench@example.com> {now + number} +0000\ndata 1\nx\n"
                          + ("from refs/heads/main^0\n" if number == 0 else "")
                          + f"M 100644 inline {number % 100}.txt\ndata {len(text)}\n{text}\n")
        area.run(["git", "fast-import", "--quiet", "--force"], repo, input="".join(stream).encode())
        area.run(["git", "gc", "-q"], repo)
        area.run(["git", "reset", "-q", "--hard"], repo)
    cache = repo / ".git/godzilla/cache"
    log = ["git", "log", "-p", "main", "^0001-a-plan"]

    def patches():
        area.run(["git", "patch-id", "--stable"], repo, input=area.run(log, repo).stdout)

    def forget(part):
        return lambda: shutil.rmtree(cache, ignore_errors=True) if part is None else (cache / part).unlink(missing_ok=True)

    listing = lambda: area.run([BIN, "list", "--json"], repo)
    measure("a merge is looked for in 10,000 commits", {
        "git log -p | git patch-id": (None, patches),
        "list, never looked": (forget(None), listing),
        "list, looked before, no list remembered": (forget("list"), listing),
        "list, warm": (None, listing),
    }, max(5, rounds // 4))


def writers(area, rounds):
    del rounds
    repo = area.many(1)
    n_before = len(area.run([BIN, "log", "1", "--json"], repo).stdout.splitlines())
    script = f"for i in 1 2 3 4 5 6 7 8 9 10 11 12; do '{BIN}' comment note -p 1 >/dev/null || echo refused; done"
    start = time.perf_counter()
    procs = [subprocess.Popen(["sh", "-c", script], cwd=repo, env=area.env, stdout=subprocess.PIPE) for _ in range(8)]
    refused = sum(p.communicate()[0].count(b"refused") for p in procs)
    wall = time.perf_counter() - start
    n_after = len(area.run([BIN, "log", "1", "--json"], repo).stdout.splitlines())
    print(f"\n### eight writers, 12 events each, one stream\n\n{n_after - n_before} of 96 events there, {refused} refused, "
          f"{96 / wall:.0f} events/s")


ROWS = {"hooks": hooks, "append": append, "plan": plan, "list": list_rows, "doctor": doctor, "qa": qa, "engine": engine, "flood": flood, "others": others, "ci": ci,
        "sync": sync, "archived": archived, "fold": fold, "merge": merge, "writers": writers}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--only", default=",".join(ROWS))
    parser.add_argument("--dir", help="keep the repositories here, and use them again")
    args = parser.parse_args()
    if not BIN.exists():
        sys.exit(f"{BIN} is not there: cargo build --release")
    with tempfile.TemporaryDirectory() as scratch:
        area = Area(args.dir or scratch)
        for row in args.only.split(","):
            ROWS[row](area, args.rounds)


if __name__ == "__main__":
    main()
