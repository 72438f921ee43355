#!/bin/sh
# interrupt.sh SCHEME: an interrupt ends what does not end by itself, however it goes round, and
# the REPL goes on.
set -eu
. "$(dirname "$0")/await.sh"
folder=$(mktemp -d)
mkfifo "$folder/in" "$folder/out"
"$1" <"$folder/in" >"$folder/out" 2>&1 &
scheme=$!
trap 'kill -KILL $scheme 2>/dev/null || :; rm -r "$folder"' EXIT
exec 3>"$folder/in" 4<"$folder/out"

while read -r endless; do
  printf '(begin (display "started") (newline) (flush-output-port) %s)\n' "$endless" >&3
  await started
  sleep 0.1  # so that it goes round by now
  kill -INT $scheme
  await interrupted
done <<'PROGRAMS'
(let loop () (loop))
(do () (#f))
(letrec ((f (lambda () (g))) (g (lambda () (f)))) (f))
(let ((k #f)) (call/cc (lambda (c) (set! k c))) (k 1))
(let ((k #f)) (call/cc (lambda (c) (set! k c))) (dynamic-wind list (lambda () (k 1)) list))
(let ((l (list 1))) (set-cdr! l l) (for-each list l))
(eval '(let loop () (loop)) (interaction-environment))
PROGRAMS

# With nothing to end, it drops what was typed so far.
printf '(car\n' >&3
sleep 0.1
kill -INT $scheme
sleep 0.1
echo '(display (+ 40 2))(newline)' >&3
await 42
exec 3>&-
wait $scheme
