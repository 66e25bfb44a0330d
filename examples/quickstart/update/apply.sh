#!/bin/sh
# The quickstart's update, run on each host in its root folder: unpack, verify, compile, swap the version.
# Usage: apply.sh PACKAGE VERSION NODE TSC
set -eu
package=$1 version=$2 node=$3 tsc=$4
work="versions/.new-$version"

echo "verifying $(basename "$package")"
(cd "$(dirname "$package")" && sha256sum --check --quiet "$(basename "$package").sha256")

rm -rf "$work"
mkdir -p "$work"
echo "unpacking"
tar -xzf "$package" -C "$work"

echo "compiling"
"$node" "$tsc" --ignoreConfig --target es2022 --lib es2022 --module node20 --outDir "$work/bin" "$work/tool.ts"
printf '%s\n' "$version" > "$work/VERSION"

echo "switching to $version"
# Carried out again after an interruption, it must not take the new version for the one before.
[ "$(readlink current)" = "versions/$version" ] || readlink current > "versions/.before-$version"
rm -rf "versions/$version"
mv "$work" "versions/$version"
ln -sfn "versions/$version" current.new
mv -T current.new current
echo "installed $version"
