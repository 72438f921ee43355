#!/usr/bin/env bash
# Passes if two programs succeed and print the same.
#   same_output.sh PROGRAM PROGRAM
set -euo pipefail
diff <("$1") <("$2" || echo "ended with $?")
