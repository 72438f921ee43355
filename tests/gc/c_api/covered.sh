#!/bin/sh
# covered.sh HEADER FILE...: every function that HEADER declares is called in one of the files.
header=$1
shift
status=0
functions=$(grep -vE '^ *///' "$header" | grep -oE '\bbesom_[a-z_]+\(' | sort -u)
[ -n "$functions" ] || {
  echo "no function found in $header"
  exit 1
}
for function in $functions; do
  grep -qF "$function" "$@" || {
    echo "${function%(} is called in no test"
    status=1
  }
done
exit $status
