#!/bin/sh
# output.sh FILE COMMAND...: succeeds when COMMAND succeeds and prints what is in FILE.
expected=$1
shift
output=$("$@") || {
  printf '%s\n' "$output"
  echo "failed: $*"
  exit 1
}
printf '%s\n' "$output" | diff "$expected" - || {
  echo "not the expected output: $*"
  exit 1
}
