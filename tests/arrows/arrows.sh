#!/usr/bin/env bash
# Checks by grep what the folders may include and call. Prints each line that breaks a rule.
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

mapfile -t freelist < <(sources freelist)
mapfile -t heap < <(sources heap)
mapfile -t gc < <(sources gc)
library=("${freelist[@]}" "${heap[@]}" "${gc[@]}")
# internal FOLDER : the headers that its meson.build lists as not installed.
internal() {
  sed -n '/_internal_headers = \[/,/\]/p' "$1/meson.build" | { grep -oE "[a-z_]+\.hpp" || [ $? -eq 1 ]; } |
    sed "s,^,$1/,"
}
mapfile -t internal < <(for folder in freelist heap gc; do internal "$folder"; done)
public=(besom.hpp)
for file in "${library[@]}"; do
  case " ${internal[*]} " in *" $file "*) continue ;; esac
  case $file in *.hpp) public+=("$file") ;; esac
done

grep_in "$(include_of '(heap|gc|tests|bench|examples|fuzz)/|besom\.hpp')" "${freelist[@]}" |
  forbid 'freelist/ includes nothing to its right'
grep_in "$(include_of '(gc|tests|bench|examples|fuzz)/|besom\.hpp')" "${heap[@]}" |
  forbid 'heap/ includes only freelist/ and heap/'
grep_in "$(include_of '(tests|bench|examples|fuzz)/|besom\.hpp')" "${gc[@]}" |
  forbid 'gc/ includes only freelist/, heap/ and gc/'
grep_in "$(include_of '\.\.?/')" "${library[@]}" |
  forbid 'includes name their folder, so that these checks can see it'

mapfile -t outside_arena < <(printf '%s\n' "${library[@]}" besom.hpp | grep -vx 'heap/arena\.cpp')
{
  grep_in "$(include_of '(sys/(mman|prctl|syscall|resource|stat)|fcntl|unistd)\.h')" "${outside_arena[@]}"
  # A call, be it qualified by `::` or not, but no member and no function of ours by that name.
  grep_in '(^|[^A-Za-z0-9_.>:]|[^A-Za-z0-9_]::)(mmap|mremap|mprotect|madvise|munmap|prctl|syscall|mkostemp|pwrite|fsync|rename|unlink)[[:space:]]*\(' \
    "${outside_arena[@]}" | { grep -vE '^[^:]+:[0-9]+:[[:space:]]*//' || [ $? -eq 1 ]; }
} | forbid 'system calls stand in heap/arena.cpp alone'

grep_in "$(include_of '(boost|spdlog|fmt|CLI)/')" "${public[@]}" |
  forbid 'public headers show no other library'
for file in "${internal[@]}"; do
  grep_in "$(include_of "$file")" "${public[@]}"
done | forbid 'public headers include none that is not installed'

# What a folder does not list in its meson.build is neither installed nor compiled alone.
for header in "${public[@]}"; do
  folder=$(dirname "$header")
  list=$folder/meson.build
  if [ -f "$list" ] && ! grep -qF "'$(basename "$header")'" "$list"; then
    printf '%s:1:%s is missing\n' "$list" "$(basename "$header")"
  fi
done | forbid 'every header is listed in the meson.build beside it'

exit $((failures > 0))
