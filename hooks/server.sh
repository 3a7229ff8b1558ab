#!/bin/sh
# git-godzilla server hook v1 event=@EVENT@
# Runs the hook that was here before, kept beside this file, then git-godzilla.
# `git godzilla hooks uninstall` puts the earlier hook back.
gz_binary=@BINARY@

# Whoever asks whether git comes this far gets an answer, and nothing else runs.
if [ -n "${GODZILLA_PROBE-}" ]; then
  exec "$gz_binary" hook @EVENT@
fi

{ true 3<&0; } 2>/dev/null || exec </dev/null
gz_stdin=$(cat; printf .)
gz_stdin=${gz_stdin%.}

gz_status=0
if [ -f "$0.godzilla-prev" ] && [ -x "$0.godzilla-prev" ]; then
  printf %s "$gz_stdin" 2>/dev/null | "$0.godzilla-prev" "$@" || gz_status=$?
fi
case @EVENT@:$gz_status in
pre-*:0 | post-*) ;;
*) exit "$gz_status" ;;
esac
if ! { [ -f "$gz_binary" ] && [ -x "$gz_binary" ]; }; then
  gz_binary=$(command -v git-godzilla) || exit "$gz_status"
fi
gz_answer=0
printf %s "$gz_stdin" 2>/dev/null | "$gz_binary" hook @EVENT@ -- "$@" || gz_answer=$?
# From 126 on it could not run or was killed, which is no verdict.
if [ "$gz_answer" -gt 0 ] && [ "$gz_answer" -lt 126 ]; then
  exit "$gz_answer"
fi
exit "$gz_status"
