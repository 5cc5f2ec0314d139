#!/bin/bash
# Writes deploy/.env: example.env, with a fresh secret for every name that has no value there.
#
#   deploy/make_env.sh [FILE]      FILE is written instead
set -euo pipefail

folder=$(dirname "$0")
file=${1:-$folder/.env}
[ ! -e "$file" ] || { echo "$file is there already; its secrets are kept."; exit 1; }
umask 077
while IFS= read -r line; do
  if [[ $line =~ ^[A-Z_]+=$ ]]; then line+=$(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'); fi
  printf '%s\n' "$line"
done < "$folder/example.env" > "$file"
echo "wrote $file"
