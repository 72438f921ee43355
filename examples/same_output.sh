#!/bin/sh
# same_output.sh OPTION COMMAND...: succeeds when COMMAND succeeds and prints the same with OPTION as
# without, but for the summary at its end, which tells of times and collections.
option=$1
program=$2
shift 2
run() {
  output=$("$@") || {
    printf '%s\n' "$output"
    echo "failed: $*"
    exit 1
  }
  printf '%s\n' "$output" | sed '/, seed [0-9]*$/,$d'
}
plain=$(run "$program" "$@") || { printf '%s\n' "$plain"; exit 1; }
other=$(run "$program" "$option" "$@") || { printf '%s\n' "$other"; exit 1; }
[ -n "$plain" ] || { echo 'no output'; exit 1; }
[ "$plain" = "$other" ] || {
  printf '%s\n-- with %s:\n%s\n' "$plain" "$option" "$other"
  exit 1
}
