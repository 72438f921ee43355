#!/bin/sh
# exit_code.sh CODE TEXT COMMAND...: succeeds when COMMAND exits with CODE and its output, of either
# kind, contains TEXT.
expected=$1
text=$2
shift 2
output=$("$@" 2>&1)
code=$?
printf '%s\n' "$output"
if [ "$code" -ne "$expected" ]; then
  echo "exit code $code, expected $expected: $*"
  exit 1
fi
case $output in
  *"$text"*) ;;
  *)
    echo "'$text' is not in the output of: $*"
    exit 1
    ;;
esac
