#!/usr/bin/env bash
# Passes if two programs succeed and print the same.
#   same_output.sh BEFORE AFTER
# BEFORE may leave memory behind. AFTER may not, where AddressSanitizer looks.
set -euo pipefail
diff <(ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 "$1") <("$2" || echo "ended with $?")
