#!/bin/sh
# Make .venv, or another environment, and install a lock into it: scripts/setup.sh requirements.lock [.venv]
# Asks nothing. Writes to this checkout and to the user's cache only, and never downloads a Python.
set -eu
cd "$(dirname "$0")/.."
lock=$1
environment=${2:-.venv}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/perdure

say() { echo "setup: $*"; }
fail() { say "$*" >&2; exit 1; }

# Without uv on PATH one is kept in the cache, installed by whichever of pip and venv this Python has.
find_uv() {
    if command -v uv; then return; fi
    if [ ! -x "$cache/uv/bin/uv" ]; then
        say "uv is not on PATH; installing it into $cache/uv" >&2
        install_uv >&2 || fail "uv cannot be installed. Install it from https://docs.astral.sh/uv, or install pip" \
            "(Debian: apt install python3-pip; macOS: xcode-select --install) and try again."
    fi
    echo "$cache/uv/bin/uv"
}

install_uv() {
    command -v python3 >/dev/null || fail "there is no python3. Install Python 3.11 or newer" \
        "(Debian: apt install python3; macOS: brew install python)."
    mkdir -p "$cache"
    export PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
    if python3 -m pip --version >/dev/null 2>&1; then
        python3 -m pip install --quiet --upgrade --target "$cache/uv" uv
    elif python3 -m venv --clear "$cache/uv" 2>/dev/null; then
        "$cache/uv/bin/pip" install --quiet uv
    else
        rm -rf "$cache/uv"
        fail "this python3 has neither pip nor venv. Install one of them (Debian: apt install python3-pip)."
    fi
}

uv=$(find_uv)
say "$("$uv" --version)"

if ! "$environment"/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    UV_PYTHON_DOWNLOADS=never "$uv" venv --quiet --clear --python "${PYTHON:->=3.11,<3.15}" "$environment" || fail \
        "Perdure needs Python 3.11, 3.12, 3.13 or 3.14. Install one (Debian 12 or newer: apt install python3;" \
        "macOS: brew install python), or name one: make setup PYTHON=/path/to/python3."
fi
say "$("$environment"/bin/python --version) in $environment"

say "installing $(grep -c '^[a-z]' "$lock") packages from $lock"
"$uv" pip install --quiet --python "$environment"/bin/python --compile-bytecode --require-hashes -r "$lock"
"$uv" pip install --quiet --python "$environment"/bin/python --no-deps --editable .
say "done"
