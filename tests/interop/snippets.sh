#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The configurations that documents show are those that the tests run: each block after a line
# "<!-- file: PATH -->" is the file, whole.
#
#	tests/interop/snippets.sh [--write]     (--write: puts the files into the documents)
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

# Prints a document with every marked block replaced by its file.
render() {
	awk '
		/^<!-- file: .* -->$/ { file = $3 }
		!in_block || /^```$/ { print }
		/^```/ && !in_block && file { while ((getline line < file) > 0) print line; close(file); in_block = 1; next }
		/^```$/ && in_block { in_block = 0; file = "" }' "$1"
}

failed=0 found=0
for document in docs/*.md README.md; do
	[[ -f $document ]] || continue
	while read -r path; do
		found=$((found + 1))
		if [[ ! -f $path ]]; then
			echo "$document: no $path"
			failed=1
		fi
	done < <(sed -n 's/^<!-- file: \(.*\) -->$/\1/p' "$document")
	if [[ ${1:-} == --write ]]; then
		render "$document" >"$document.new" && mv "$document.new" "$document"
	elif ! diff -u --label "$document" --label "$document as the files have it" \
		"$document" <(render "$document"); then
		failed=1
	fi
done
[[ $found -gt 0 ]] || { echo "no document shows a configuration"; failed=1; }
exit "$failed"
