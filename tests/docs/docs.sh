#!/usr/bin/env bash
# Every declaration of the public headers has a comment that Doxygen takes, every link of the documents
# leads somewhere, and scripts/docs fails where that is not so.
#   docs.sh SOURCE_ROOT
set -euo pipefail
source_root=$1

command -v doxygen >/dev/null || {
  echo 'Skipped: no doxygen'
  exit 77
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$source_root" && find include docs scripts ./*.md LICENSE NOTICE bench/README.md scheme/README.md \
  examples/lisp/README.md tests/seeded/README.md -type f -print0 | tar -c --null -T -) | tar -xC "$work"

"$work/scripts/docs"
pages=$work/build/docs/html
for page in index besom_8h classbesom_1_1Heap structbesom_1_1HeapOptions docs_design docs_learn_README \
  docs_learn_07_increments CHANGELOG; do
  [ -f "$pages/$page.html" ] || {
    echo "No page $page"
    exit 1
  }
done
# The landing page has the table of what was measured, and links lead to headings of other pages.
grep -q '<td class="markdownTableBodyNone">GCBench, heap 32 MiB, ms *</td>' "$pages/index.html"
grep -q 'href="docs_design.html#docs_design-words"' "$pages/CONTRIBUTING.html"

# refused TEXT: scripts/docs fails, and says so.
refused() {
  if "$work/scripts/docs" >"$work/log" 2>&1; then
    echo "Accepted, and not refused: $1"
    exit 1
  fi
  grep -q "$1" "$work/log" || {
    echo "Not said: $1"
    cat "$work/log"
    exit 1
  }
}
for link in nowhere.md design.md#nothing '#nothing'; do
  cp "$work/docs/promises.md" "$work/kept"
  echo "A [link]($link)." >>"$work/docs/promises.md"
  refused "docs/promises.md: $link "
  mv "$work/kept" "$work/docs/promises.md"
done

# Of a class, of a namespace and of C.
cat >>"$work/include/besom/version.h" <<'END'
/// A comment.
struct Documented { int undocumented; };
END
echo 'namespace besom { int undocumented(); }' >>"$work/include/besom/run.hpp"
echo 'int undocumented(void);' >>"$work/include/besom/besom.h"
for header in version.h run.hpp besom.h; do
  refused "$header:.* undocumented.* is not documented"
done
