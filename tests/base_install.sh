#!/usr/bin/env bash
# Installs the base package alone, says how large that is, and runs tests/core on it.
set -euo pipefail
cd "$(dirname "$0")/.."
limit_mb=300
venv=.venv-base
uv=.venv/bin/uv
rm -rf "$venv"
python3 -m venv --without-pip "$venv"
$uv pip install -q --python "$venv/bin/python" -r requirements/base.txt
wheel=$(mktemp -d)
trap 'rm -rf "$wheel" build' EXIT
$uv build -q --wheel --out-dir "$wheel" .
$uv pip install -q --python "$venv/bin/python" --no-deps "$wheel"/*.whl
size_mb=$(du -sm "$venv" | cut -f1)
echo "base install: $size_mb MB (limit $limit_mb MB)"
[ "$size_mb" -lt "$limit_mb" ]
$uv pip install -q --python "$venv/bin/python" pytest pytest-timeout hypothesis
for forbidden in django rest_framework starlette flask celery torch pandas scipy; do
	if "$venv/bin/python" -c "import $forbidden" 2>/dev/null; then
		echo "the base install brings $forbidden"; exit 1
	fi
done
"$venv/bin/python" -m pytest -q -p no:cacheprovider -c tests/base_pytest.ini --rootdir . tests/core
