# What git runs from its configuration; it appends what it passes to a hook. Without the program nothing happens.
gz_binary=@BINARY@
[ -x "$gz_binary" ] || gz_binary=$(command -v git-godzilla) || exit 0
if [ -z "${GODZILLA_PROBE-}" ]; then
#@ post-checkout
[ "${3-}" = 1 ] || exit 0
#@ prepare-commit-msg commit-msg post-commit post-rewrite
gz_dir=${GIT_DIR:-.git}
if [ -f "$gz_dir" ]; then
  IFS= read -r gz_dir <"$gz_dir" || :
  gz_dir=${gz_dir#gitdir: }
fi
gz_head=
if [ -r "$gz_dir/HEAD" ]; then
  IFS= read -r gz_head <"$gz_dir/HEAD" || :
fi
case $gz_head in
'ref: refs/heads/'[0-9][0-9][0-9][0-9]*-* | 'ref: refs/heads/.invalid') ;;
ref:*) exit 0 ;;
esac
#@ prepare-commit-msg
@LEFT@
! gz_is_left_to_commit_msg "$@" || exit 0
#@
:
fi
"$gz_binary" hook @EVENT@ --via config -- "$@" || gz_answer=$?
# From 126 on it could not run or was killed, which is no verdict.
[ "${gz_answer-0}" -lt 126 ] || gz_answer=0
exit "${gz_answer-0}" #
