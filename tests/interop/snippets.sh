#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The configurations that documents show are those that the tests run: each block after a line
# "<!-- file: PATH -->" is the file, whole.
#
#	tests/interop/snippets.sh [--write]
#
# --write puts the files into the documents.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

# Prints a document with every marked block replaced by its file.
render() {
	awk '
		/^<!-- file: .* -->$/ { file = $3 }
		!in_block || /^```$/ { print }
		/^```/ && !in_block && file {
			while ((got = (getline line < file)) > 0)
				print line
			if (got < 0)
				print "no file " file
			close(file)
			in_block = 1
			next
		}
		/^```$/ && in_block { in_block = 0; file = "" }' "$1"
}

failed=0 found=0
for document in README.md docs/*.md; do
	[[ -f $document ]] || continue
	count=$(grep -c '^<!-- file: ' "$document" || true)
	[[ $count -gt 0 ]] || continue
	found=$((found + count))
	if [[ ${1:-} == --write ]]; then
		render "$document" >"$document.new" && mv "$document.new" "$document"
	elif diff -u --label "$document" --label 'as the files have it' "$document" <(render "$document"); then
		echo "ok - $document shows $count files as they are"
	else
		echo "not ok - $document shows what is not in its files (tests/interop/snippets.sh --write)"
		failed=1
	fi
done
[[ $found -gt 0 ]] || { echo "not ok - no document shows a configuration"; failed=1; }
exit "$failed"
