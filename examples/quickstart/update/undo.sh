#!/bin/sh
# Takes the quickstart's update back: the version before, exactly.
# Usage: undo.sh VERSION-BEFORE VERSION-INSTALLED
set -eu
ln -sfn "versions/$1" current.new
mv -T current.new current
rm -rf "versions/$2" "versions/.new-$2"
echo "back on $1"
