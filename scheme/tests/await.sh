# For shell scripts: what a REPL answers comes in by 4.

# await TEXT: reads up to the line that holds it.
await() {
  while read -r line <&4; do
    case $line in *"$1"*) return ;; esac
  done
  echo "the REPL ended before: $1"
  exit 1
}
