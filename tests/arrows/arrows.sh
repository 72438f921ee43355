#!/usr/bin/env bash
# Checks by grep what the folders may include and call, beside what components.py checks. Prints each
# line that breaks a rule.
#   arrows.sh SOURCE_ROOT
set -euo pipefail
shopt -s lastpipe # so that `forbid`, at the end of a pipeline, counts in this shell
cd "$1"

failures=0

# Reads offending lines, "file:line:text", and reports them under the rule that they break.
forbid() {
  local lines
  lines=$(cat)
  [ -z "$lines" ] && return
  printf 'Broken: %s\n%s\n\n' "$1" "$lines"
  failures=$((failures + 1))
}

# sources FOLDER... : the C++ files of those folders that exist.
sources() {
  local folder
  for folder in "$@"; do
    if [ -d "$folder" ]; then find "$folder" -name '*.[ch]pp'; fi
  done
}

# grep_in PATTERN FILE... : as grep, but finding nothing is fine, and so is having no file.
grep_in() {
  local pattern=$1
  shift
  [ $# -eq 0 ] || grep -HnE -- "$pattern" "$@" || [ $? -eq 1 ]
}

include_of() { printf '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<](%s)' "$1"; }

mapfile -t library < <(sources freelist heap gc inspect capi include)
mapfile -t public < <(find include -name '*.hpp' -o -name '*.h')
mapfile -t users < <(find examples scheme tests bench fuzz -name '*.[ch]' -o -name '*.[ch]pp')

grep_in "$(include_of '\.\.?/')" "${library[@]}" |
  forbid 'includes name their folder, so that these checks can see it'
# Not even a file of that name in the includer's own tree then comes in between.
grep_in '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "${public[@]}" | { grep -v '"besom/' || [ $? -eq 1 ]; } |
  forbid 'public headers include each other as "besom/..."'
grep_in "$(include_of '[^>]*\.hpp')" include/besom/besom.h include/besom/version.h include/besom/detail/export.h |
  forbid 'besom.h includes nothing of C++'
grep_in '^[[:space:]]*#[[:space:]]*include[[:space:]]*"besom/[^/]*"' "${users[@]}" |
  forbid 'programs and tests include <besom/...>, as users do'

mapfile -t programs < <(sources examples scheme)
grep_in "$(include_of '(freelist|heap|gc|inspect|capi|besom/detail)/')" "${programs[@]}" |
  forbid 'examples and the interpreter know what users know'

mapfile -t outside_arena < <(printf '%s\n' "${library[@]}" | grep -vx 'heap/arena\.cpp')
{
  grep_in "$(include_of '(sys/(mman|prctl|syscall|resource|stat)|fcntl|unistd)\.h')" "${outside_arena[@]}"
  # A call, be it qualified by `::` or not, but no member and no function of ours by that name.
  grep_in '(^|[^A-Za-z0-9_.>:]|[^A-Za-z0-9_]::)(mmap|mremap|mprotect|madvise|munmap|prctl|syscall|mkostemp|pwrite|fsync|rename|unlink)[[:space:]]*\(' \
    "${outside_arena[@]}" | { grep -vE '^[^:]+:[0-9]+:[[:space:]]*//' || [ $? -eq 1 ]; }
} | forbid 'system calls stand in heap/arena.cpp alone'

grep_in "$(include_of '(boost|spdlog|fmt|CLI)/')" "${public[@]}" |
  forbid 'public headers show no other library'
# Meson and CMake build what stands there, and both install include/besom.
diff <(sed 's/ throws$//' library.txt | sort) \
  <({ find freelist heap gc inspect capi -name '*.cpp'; printf '%s\n' "${public[@]}"; } | sort) |
  { grep '^[<>]' || [ $? -eq 1 ]; } |
  forbid 'library.txt lists each source (<: that there is not, >: missing) and each public header'

exit $((failures > 0))
