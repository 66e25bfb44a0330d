#!/bin/sh
# Takes the quickstart's update back: the version before, exactly.
# Usage: undo.sh VERSION-INSTALLED
set -eu
before="versions/.before-$1"
if [ -s "$before" ]; then
  ln -sfn "$(cat "$before")" current.new
  mv -T current.new current
fi
rm -rf "versions/$1" "versions/.new-$1" "$before"
echo "back on $(cat current/VERSION)"
