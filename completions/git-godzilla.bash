# bash completion of git-godzilla, also as `git godzilla`; written by `git godzilla completions bash`.
#
# As `git-godzilla` in a folder of bash-completion it is found by itself, by git's completion too.

# What fits, as `git-godzilla __complete` says it: a candidate a line, with a tab and words about it.
__git_godzilla_reply() {
  local cur=$1 line before=
  COMPREPLY=()
  # Git's completion does not add a space.
  compopt +o nospace 2>/dev/null
  # Readline replaces only what follows the `=`.
  if [[ $cur == -*=* && $COMP_WORDBREAKS == *=* ]]; then
    before=${cur%%=*}=
  fi
  while IFS= read -r line; do
    case $line in
      :paths) compopt -o default -o bashdefault 2>/dev/null ;;
      :folders) compopt +o default +o bashdefault -o dirnames 2>/dev/null ;;
      :none) compopt +o default +o bashdefault 2>/dev/null ;;
      *)
        line=${line%%$'\t'*}
        COMPREPLY+=("${line#"$before"}")
        ;;
    esac
  done
}

# Called by git's completion, which has taken its own options out of the way.
_git_godzilla() {
  local at=${__git_cmd_idx:-1}
  __git_godzilla_reply "$cur" < <(
    __git godzilla __complete -- "${words[@]:at+1:cword-at}" 2>/dev/null
  )
}

# Called for `git-godzilla`.
__git_godzilla_main() {
  __git_godzilla_reply "" < <(
    "$1" __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null
  )
}

complete -F __git_godzilla_main git-godzilla
