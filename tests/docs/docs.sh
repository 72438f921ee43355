#!/usr/bin/env bash
# Every declaration of the public headers has a comment that Doxygen takes, and scripts/docs fails
# where one has not.
#   docs.sh SOURCE_ROOT
set -euo pipefail
source_root=$1

command -v doxygen >/dev/null || {
  echo 'Skipped: no doxygen'
  exit 77
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/docs" "$work/scripts"
cp -r "$source_root/include" "$work"
cp "$source_root/docs/Doxyfile" "$work/docs"
cp "$source_root/scripts/docs" "$source_root/scripts/setup" "$work/scripts"

"$work/scripts/docs"
for page in index besom_8h classbesom_1_1Heap structbesom_1_1HeapOptions; do
  [ -f "$work/build/docs/html/$page.html" ] || {
    echo "No page $page"
    exit 1
  }
done

# Of a class, of a namespace and of C.
cat >>"$work/include/besom/version.h" <<'END'
/// A comment.
struct Documented { int undocumented; };
END
echo 'namespace besom { int undocumented(); }' >>"$work/include/besom/run.hpp"
echo 'int undocumented(void);' >>"$work/include/besom/besom.h"
if "$work/scripts/docs" >"$work/log" 2>&1; then
  echo 'Declarations without a comment are accepted'
  exit 1
fi
for header in version.h run.hpp besom.h; do
  grep -q "$header:.* undocumented.* is not documented" "$work/log" || {
    echo "$header: not refused"
    cat "$work/log"
    exit 1
  }
done
