#!/bin/sh
# An engine for git-godzilla around any program that reads a prompt and prints an answer:
#
#   for word in "$PWD/engine.sh" ollama run qwen3; do git config --add godzilla.engines.local.argv "$word"; done
#   git config godzilla.phases.qa local
#   git godzilla engines check local
#
# The request comes as JSON on standard input, and the same values as variables (docs/ENGINES.md). The
# last JSON object on standard output is the result; all else is shown while it runs.

set -u

# Prints standard input as a JSON string.
json_string() {
    printf '"'
    tr '\t\r' '  ' | tr -d '\000-\011\013-\037' | sed 's/\\/\\\\/g; s/"/\\"/g' |
        awk 'NR > 1 { printf "\\n" } { printf "%s", $0 }'
    printf '"'
}

# Prints the result: finish STATUS MESSAGE.
finish() {
    printf '\n{"v":1,"status":"%s","message":%s}\n' "$1" "$(printf '%s' "$2" | json_string)"
    exit 0
}

[ $# -gt 0 ] || finish unavailable "usage: engine.sh PROGRAM [ARGUMENT...]"
command -v "$1" >/dev/null 2>&1 || finish unavailable "there is no program $1"

ask() {
    cat "$GODZILLA_PROMPT_FILE"
    if [ -n "${GODZILLA_OUTPUT_SCHEMA-}" ]; then
        printf '\n\nAnswer with one JSON document of this JSON Schema and nothing else:\n%s\n' "$GODZILLA_OUTPUT_SCHEMA"
    fi
}

echo "asking $1 to ${GODZILLA_KIND} in ${GODZILLA_WORKTREE}"
if answer=$(ask | "$@"); then
    finish succeeded "$answer"
else
    finish crashed "$1 ended with code $?: $answer"
fi
