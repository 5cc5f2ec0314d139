#!/bin/bash
# Starts compose.yaml itself with podman-compose, does the main jobs through the published port, backs
# up, throws everything away and restores: the commands of docs/deploy.md, word for word. Needs root,
# podman, runc, podman-compose and the images of build.sh. PostgreSQL, Redis and Prometheus are
# Debian's where no registry can be reached; Grafana is left out.
#
#   deploy/local_base.sh && deploy/build.sh && deploy/check_compose.sh
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d /var/tmp/discern-check.XXXXXX)
export CONTAINERS_CONF=$work/containers.conf
# The limits are below this machine's own: raising one may be forbidden here.
cat > "$CONTAINERS_CONF" << 'END'
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
END

project=discern-check-$$
services=(web worker model-server prometheus) # and what they depend on
compose() {
  "${PODMAN_COMPOSE:-podman-compose}" -p "$project" --env-file "$work/env" -f deploy/compose.yaml -f "$work/stand-ins.yaml" "$@"
}
say() { printf '\n== %s\n' "$*"; }
finish() {
  status=$?
  [ $status -eq 0 ] || compose logs --tail 15 2>&1 | tail -60 || true
  # `down` forgets the second of a scaled service.
  podman rm -f -t 5 $(podman ps -aq --filter "label=io.podman.compose.project=$project") > /dev/null 2>&1 || true
  compose down -v -t 5 > /dev/null 2>&1 || true
  rm -rf "$work"
  exit $status
}
trap finish EXIT

say "Stand-ins for the images of a registry"
mkdir "$work/stand-in"
cat > "$work/stand-in/entry" << 'END'
#!/bin/bash
set -e
postgres() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
data=/var/lib/postgresql/data
case $1 in
  postgres)
    if [ ! -s $data/PG_VERSION ]; then
      install -d -o postgres -m 0700 $data
      printf %s "$POSTGRES_PASSWORD" > /run/password && chown postgres /run/password
      postgres initdb -D $data -U "$POSTGRES_USER" --pwfile /run/password \
        --auth-local trust --auth-host scram-sha-256
      echo "host all all all scram-sha-256" >> $data/pg_hba.conf
      postgres pg_ctl -D $data -w -o '-c listen_addresses=' start
      postgres createdb -U "$POSTGRES_USER" "$POSTGRES_DB"
      postgres pg_ctl -D $data -w stop
    fi
    exec setpriv --reuid postgres --regid postgres --clear-groups \
      postgres -D $data -c 'listen_addresses=*' "${@:2}" ;;
  redis-server) cd /data && exec "$@" --protected-mode no ;;
esac
exec "$@"
END
cat > "$work/stand-in/Containerfile" << 'END'
FROM python:3.11-slim-bookworm
RUN apt-get update -q && apt-get install -y -q --no-install-recommends postgresql redis-server prometheus wget \
 && rm -rf /var/lib/apt/lists/* && ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/ 2> /dev/null; mkdir /data
COPY --chmod=0755 entry /usr/local/bin/entry
ENTRYPOINT ["/usr/local/bin/entry"]
END
buildah build --isolation chroot --pull=never --network host --layers -t discern-stand-in \
  -f "$work/stand-in/Containerfile" "$work/stand-in" > "$work/stand-in.log" 2>&1 \
  || { tail -5 "$work/stand-in.log"; exit 1; }
cat > "$work/stand-ins.yaml" << 'END'
services:
  database: { image: discern-stand-in }
  redis: { image: discern-stand-in }
  prometheus: { image: discern-stand-in, ports: ["127.0.0.1:9090:9090"] }
END

say "Start"
deploy/make_env.sh "$work/env"
compose up -d --no-build "${services[@]}" > "$work/up.log" 2>&1 || { tail -20 "$work/up.log"; exit 1; }
compose exec -T model-server sh -c 'cat > /tmp/blob.onnx' < tests/fakes/blob.onnx
compose exec -T model-server sh -c \
  'echo light > /tmp/labels.txt && discern models add /tmp/blob.onnx --name blob --labels /tmp/labels.txt'
DISCERN_KEY=$(compose exec -T web discern key create check --service --name check | grep -o 'dk_[A-Za-z0-9_-]*')
export DISCERN_KEY
compose exec -T worker python - < deploy/check_picture.py > "$work/telephone.heic"

say "The main jobs, and the dashboard's questions"
python3 deploy/exercise.py deploy/grafana/dashboards/discern.json "$work/telephone.heic"
for service in web worker model-server prometheus database redis; do
  podman healthcheck run "${project}_${service}_1" > /dev/null
  echo "$service is healthy"
done
python3 deploy/exercise.py kept > "$work/before"

say "Backup"
compose stop web worker model-server
compose exec -T database pg_dump -U discern -Fc discern > "$work/discern.dump"
compose run --rm -T --no-deps web tar -C /var/lib/discern -cf - . > "$work/home.tar"
ls -l "$work/discern.dump" "$work/home.tar"

say "Everything is lost"
compose down -v
podman volume ls -q | grep "$project" && exit 1

say "Restore"
compose up -d database
until compose exec -T database pg_isready -h 127.0.0.1 -U discern -q; do sleep 1; done
compose exec -T database pg_restore -U discern -d discern < "$work/discern.dump"
compose run --rm -T --no-deps web tar -C /var/lib/discern -xf - < "$work/home.tar"
compose up -d --no-build "${services[@]}" --scale model-server=2
python3 deploy/exercise.py kept > "$work/after"
diff "$work/before" "$work/after"
echo "uploads, pictures, texts and lists are what they were"

say "Both model servers are scraped"
for _ in $(seq 60); do
  two=$(python3 deploy/exercise.py ask 'count(up{job="model-server"} == 1)')
  [ "$two" = 2 ] && break
  sleep 1
done
[ "$two" = 2 ]
say "All good"
