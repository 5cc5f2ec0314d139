#!/bin/bash
# Runs the three images with a real PostgreSQL, Redis and Prometheus, does the main jobs inside the
# containers, and asks Prometheus every question of the dashboard. Needs root, podman, runc, and the
# programs postgres, redis-server and prometheus; no image registry and no network: everything
# shares the loopback of one container.
#
#   deploy/local_base.sh && deploy/build.sh && deploy/check.sh
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d /var/tmp/discern-check.XXXXXX)
chmod 755 "$work"
prefix=discern-check-$$
programs=()
postgres_bin=${POSTGRES_BIN:-$(ls -d /usr/lib/postgresql/*/bin | tail -1)}

pod() { podman --runtime runc --cgroup-manager cgroupfs "$@"; }
say() { printf '\n== %s\n' "$*"; }
finish() {
  status=$?
  if [ $status -ne 0 ]; then
    for name in web worker model-server; do
      echo "-- last lines of $name"; pod logs --tail 15 "$prefix-$name" 2>&1 || true
    done
    tail -5 "$work"/*.log 2> /dev/null || true
  fi
  for name in worker web model-server; do pod rm -f -t 5 "$prefix-$name" > /dev/null 2>&1 || true; done
  for pid in "${programs[@]}"; do kill "$pid" 2> /dev/null || true; done
  wait 2> /dev/null || true
  pod volume rm -f "$prefix-files" "$prefix-home" > /dev/null 2>&1 || true
  rm -rf "$work"
  exit $status
}
trap finish EXIT

secret() { head -c 40 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
model_token=$(secret)
metrics_token=$(secret)
# The limits are below this machine's own: raising one may be forbidden here. Podman times health
# checks with systemd, which need not run: they are run by hand below.
hardened=(
  --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges
  --ulimit nofile=4096:4096 --ulimit nproc=4096:4096 --no-healthcheck
)
site=(
  -v "$prefix-home:/var/lib/discern" -v "$prefix-files:/var/lib/discern/files"
  -e "DISCERN_SECRET_KEY=$(secret)"
  -e DISCERN_DATABASE_URL=postgresql://discern@127.0.0.1:5432/discern
  -e DISCERN_CACHE_URL=redis://127.0.0.1:6379/1
  -e DISCERN_BROKER_URL=redis://127.0.0.1:6379/0
  -e DISCERN_MODEL_SERVER_URL=http://127.0.0.1:8600
  -e "DISCERN_MODEL_SERVER_TOKEN=$model_token"
  -e "DISCERN_METRICS_TOKEN=$metrics_token"
  -e DISCERN_METRICS_DIR=/tmp/metrics
)

say "The model server, whose loopback the others share"
pod volume create "$prefix-home" > /dev/null
pod volume create "$prefix-files" > /dev/null
# Stands for `discern models pull`: there is no network here.
mkdir "$work/model" && cp tests/fakes/blob.onnx "$work/model/" && echo light > "$work/model/labels.txt"
chmod -R a+rX "$work/model"
pod run --rm --network none "${hardened[@]}" -v "$prefix-home:/var/lib/discern" \
  -v "$work/model:/model:ro" discern-model-server \
  discern models add /model/blob.onnx --name blob --labels /model/labels.txt
pod run -d --name "$prefix-model-server" --network none "${hardened[@]}" \
  -v "$prefix-home:/var/lib/discern" \
  -e "DISCERN_MODEL_SERVER_TOKEN=$model_token" discern-model-server > /dev/null
owner=$(pod inspect -f '{{.State.Pid}}' "$prefix-model-server")
within() { nsenter -t "$owner" -n -- "$@"; }
# Without a function between, so that $! is the program itself and not a shell around it.
enter=(nsenter -t "$owner" -n --)

say "PostgreSQL and Redis on that loopback"
mkdir "$work/postgres" && chown postgres "$work/postgres"
setpriv --reuid postgres --regid postgres --clear-groups \
  "$postgres_bin/initdb" -D "$work/postgres" -U discern -A trust > "$work/initdb.log"
"${enter[@]}" setpriv --reuid postgres --regid postgres --clear-groups \
  "$postgres_bin/postgres" -D "$work/postgres" -k "$work/postgres" > "$work/postgres.log" 2>&1 &
programs+=($!)
"${enter[@]}" redis-server --port 6379 --save '' --dir "$work" > "$work/redis.log" 2>&1 &
programs+=($!)
for _ in $(seq 50); do
  within "$postgres_bin/createdb" -h 127.0.0.1 -U discern discern 2> /dev/null && break
  sleep 0.2
done

say "Migrate, then the site and a worker"
joined=(--network "container:$prefix-model-server")
pod run --rm "${joined[@]}" "${hardened[@]}" "${site[@]}" discern-web \
  python -m discern.web migrate --no-input > "$work/migrate.log"
key=$(pod run --rm "${joined[@]}" "${hardened[@]}" "${site[@]}" discern-web \
  discern key create check --service --name check | grep -o 'dk_[A-Za-z0-9_-]*')
pod run -d --name "$prefix-web" "${joined[@]}" "${hardened[@]}" "${site[@]}" discern-web > /dev/null
pod run -d --name "$prefix-worker" "${joined[@]}" "${hardened[@]}" "${site[@]}" \
  -e DISCERN_WORKER_METRICS_PORT=8001 discern-worker > /dev/null

say "Prometheus"
printf %s "$metrics_token" > "$work/web-token"
printf %s "$model_token" > "$work/model-server-token"
sed -e "s#/tmp/#$work/#; s#web:8000#127.0.0.1:8000#; s#: 5s#: 1s#; s#: 4s#: 1s#" \
  -e 's#dns_sd_configs: .* port: \([0-9]*\).*#static_configs: [{ targets: ["127.0.0.1:\1"] }]#' \
  deploy/prometheus/prometheus.yaml > "$work/prometheus.yaml"
"${enter[@]}" prometheus --config.file="$work/prometheus.yaml" --storage.tsdb.path="$work/numbers" \
  > "$work/prometheus.log" 2>&1 &
programs+=($!)

say "The main jobs, and the dashboard's questions"
pod exec -i "$prefix-worker" python - < deploy/check_picture.py > "$work/telephone.heic"
within env DISCERN_KEY="$key" python3 deploy/exercise.py deploy/grafana/dashboards/discern.json \
  "$work/telephone.heic"

say "What the images are"
for name in web worker model-server; do
  pod exec "$prefix-$name" python -c '
import importlib.util, os, sys
assert os.getuid() == 10001, "runs as root"
for module in ("torch", "tensorflow"):
    assert importlib.util.find_spec(module) is None, module
'
  if pod exec "$prefix-$name" touch /opt/discern/x 2> /dev/null; then echo "$name can write its code"; exit 1; fi
  mapfile -t health < <(pod image inspect -f '{{range .HealthCheck.Test}}{{println .}}{{end}}' "discern-$name")
  [ "${health[0]}" = CMD ]
  pod exec "$prefix-$name" "${health[@]:1:${#health[@]}-2}" > /dev/null
  size=$(pod image inspect -f '{{.Size}}' "discern-$name")
  echo "$name: uid 10001, read-only, no torch, healthy, $((size / 1000000)) MB with its base"
done

say "An orderly stop"
for name in worker web model-server; do
  pod stop -t 20 "$prefix-$name" > /dev/null
  code=$(pod inspect -f '{{.State.ExitCode}}' "$prefix-$name")
  echo "$name ended with $code"
  [ "$code" = 0 ]
done
say "All good"
