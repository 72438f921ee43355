#!/usr/bin/env bash
# Checks that a compiler or machine that Besom cannot have is told so by one error and no more, and
# that besom.h takes any C++.
#   refusals.sh INCLUDE CXX CC
set -euo pipefail
include=$1
read -ra cxx <<<"$2"
read -ra cc <<<"$3"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
failures=0
fail() {
  echo "$1:"
  cat "$log"
  failures=$((failures + 1))
}

# compile HEADER COMPILER OPTION...
compile() {
  local header=$1
  shift
  "$@" -fsyntax-only -I"$include" - <<<"#include <$header>" >"$log" 2>&1
}
# refused TEXT HEADER COMPILER OPTION...
refused() {
  local text=$1
  shift
  if compile "$@"; then fail "compiles: $*"; fi
  if [ "$(grep -c ' error: ' "$log")" -ne 1 ] || ! grep -q "error.*$text" "$log"; then
    fail "not one error that says \"$text\": $*"
  fi
}
# What compilers for 32-bit machines define.
narrow=(-U__SIZEOF_POINTER__ -D__SIZEOF_POINTER__=4)

refused 'C++20' besom/besom.hpp "${cxx[@]}" -x c++ -std=c++17
refused 'C++20' besom/besom.hpp "${cxx[@]}" -x c++ -std=c++11
refused '64-bit' besom/besom.hpp "${cxx[@]}" -x c++ -std=c++20 "${narrow[@]}"
refused '64-bit' besom/besom.h "${cxx[@]}" -x c++ -std=c++20 "${narrow[@]}"
refused '64-bit' besom/besom.h "${cc[@]}" -x c -std=c99 "${narrow[@]}"
for standard in 11 17 20; do
  compile besom/besom.h "${cxx[@]}" -x c++ -std=c++$standard || fail "besom.h in C++$standard"
done
[ "$failures" -eq 0 ]
