#!/bin/bash
# Makes the two base images that the Containerfile asks for from Debian's packages, for a machine
# that reaches a Debian mirror but no image registry. Needs root, debootstrap and buildah.
#
#   deploy/local_base.sh [FOLDER]      FOLDER keeps the unpacked system for the next time
set -euo pipefail

folder=${1:-/var/tmp/discern-base}
# Without DEBIAN_MIRROR debootstrap goes to the suite's own.
mirror=${DEBIAN_MIRROR:-}
suite=bookworm

if [ ! -x "$folder/usr/bin/python3" ]; then
  debootstrap --variant=minbase \
    --include=python3,python3-venv,ca-certificates,libgomp1 "$suite" "$folder" ${mirror:+"$mirror"}
fi
# What this machine trusts, the build trusts: it may stand behind a proxy with its own authority.
cp /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/certs/ca-certificates.crt"
printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' > "$folder/etc/pip.conf"
printf 'cafile=/etc/ssl/certs/ca-certificates.crt\n' > "$folder/root/.npmrc"

if [ ! -x "$folder/usr/bin/node" ]; then
  # Node 20 is not in this suite: the one installed here is copied, with npm.
  install -D "$(readlink -f "$(command -v node)")" "$folder/usr/bin/node"
  mkdir -p "$folder/usr/lib/node_modules"
  cp -a "$(dirname "$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")")/npm" \
    "$folder/usr/lib/node_modules/"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$folder/usr/bin/npm"
fi

container=$(buildah from scratch)
trap 'buildah rm "$container" > /dev/null' EXIT
buildah add -q "$container" "$folder" / > /dev/null
buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
buildah commit -q "$container" python:3.11-slim-bookworm > /dev/null
buildah tag python:3.11-slim-bookworm node:20-bookworm-slim
echo "made python:3.11-slim-bookworm and node:20-bookworm-slim"
