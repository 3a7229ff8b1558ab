# What git runs from its configuration; it appends what it passes to a hook. Without the program nothing happens.
gz_binary=@BINARY@
[ -x "$gz_binary" ] || gz_binary=$(command -v git-godzilla) || exit 0
case @EVENT@${GODZILLA_PROBE:+probe} in
*probe | pre-push | post-merge) ;;
post-checkout) [ "${3-}" = 1 ] || exit 0 ;;
*)
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
  ;;
esac
"$gz_binary" hook @EVENT@ --via config -- "$@" || gz_answer=$?
# From 126 on it could not run or was killed, which is no verdict.
[ "${gz_answer-0}" -lt 126 ] || gz_answer=0
exit "${gz_answer-0}" #
