#!/bin/sh
# rejected.sh FOLDER COMPILER...: the compiler refuses each C++ file of the folder with the message
# that its first line names after "// error: ", and accepts those that begin with "// accepted".
folder=$1
shift
status=0
count=0
for file in "$folder"/*.cpp; do
  count=$((count + 1))
  wanted=$(sed -n '1s|^// error: ||p' "$file")
  said=$("$@" -fsyntax-only "$file" 2>&1)
  refused=$?
  if [ -z "$wanted" ]; then
    [ "$refused" -eq 0 ] && [ -z "$said" ] && continue
    echo "$file is to compile without a word:"
  else
    [ "$refused" -ne 0 ] && printf '%s' "$said" | grep -qF "$wanted" && continue
    echo "$file is to be refused with '$wanted':"
  fi
  echo "$said"
  status=1
done
[ "$count" -gt 0 ] || status=1
exit $status
