# Whether commit-msg will do all the work of prepare-commit-msg: git opens no editor, and it is a plain
# `git commit` with a message, without --no-verify and --amend. Its command line is read with the zeros
# left out, so this looks for anything that could be such an option; what cannot be told is not left.
gz_is_left_to_commit_msg() {
  [ "${GIT_EDITOR-}" = : ] && [ "${2-}" = message ] && [ -r "/proc/$PPID/cmdline" ] || return 1
  if IFS= read -r gz_line <"/proc/$PPID/cmdline"; then return 1; fi
  case $gz_line in *--am*) return 1 ;; gitcommit*) ;; *) return 1 ;; esac
  while :; do
    case $gz_line in *-*) gz_line=${gz_line#*-} ;; *) return 0 ;; esac
    case ${gz_line%%[!A-Za-z]*} in *n*) return 1 ;; esac
  done
}
