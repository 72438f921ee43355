#!/bin/sh
# terminal.sh SCHEME: at a terminal the REPL completes names, brings back forms of this session and
# of the last one, and drops a line at Ctrl-C.
set -eu
. "$(dirname "$0")/await.sh"
folder=$(mktemp -d)
mkfifo "$folder/in" "$folder/out"
trap 'kill -KILL $session 2>/dev/null || :; rm -r "$folder"' EXIT

# start SCHEME: keys go to 3, what appears comes from 4.
start() {
  HOME=$folder TERM=xterm script -qec "'$1'" /dev/null <"$folder/in" >"$folder/out" 2>&1 &
  session=$!
  exec 3>"$folder/in" 4<"$folder/out"
  await 'Besom Scheme'
}

finish() {
  printf ',q\n' >&3
  exec 3>&-
  wait $session
}

start "$1"
printf '(string-appe\t "4" "2")\n' >&3
await '"42"'
printf '\033[A\n' >&3
await '"42"'
printf '(car' >&3
sleep 0.3
printf '\003' >&3
sleep 0.3
printf '(* 6\n7)\n' >&3
await 42
finish

start "$1"
printf '\033[A\033[A\n' >&3
await '"42"'
finish
