#!/bin/bash
# Builds the three images with buildah, from base images that are here already (local_base.sh).
# For a machine with an image registry: `podman compose -f deploy/compose.yaml build` does the same.
set -euo pipefail
cd "$(dirname "$0")/.."

for target in web worker model-server; do
  buildah build --isolation chroot --pull=never --network host --format docker --layers \
    -f deploy/Containerfile --target "$target" -t "discern-$target" .
done
