import pytest

from temporal.dev.errors import BinaryUnavailableError
from temporal.dev.lock import LOCK_NAME, hold_state
from temporal.dev.progress import silent
from temporal.dev.supervisor import Supervisor
from temporal.dev.weaviate_build import Build

BUILDS = """#!/bin/sh
case "$1" in
  env) echo go1.27.3 ;;
  install)
    echo "go: downloading some/module v1"
    echo "some/package"
    mkdir -p "$GOBIN" "$GOCACHE" "$GOMODCACHE"
    echo "$@ CGO_ENABLED=$CGO_ENABLED" > "$GOBIN/weaviate-server" ;;
esac
"""
FAILS = """#!/bin/sh
if [ "$1" = env ]; then echo go1.27.3; else mkdir -p "$GOCACHE"; echo "no route to host"; exit 1; fi
"""


@pytest.fixture
async def build(tmp_path):
    """A build in a cache of its own, with Go played by a script that the test puts in place."""
    async with hold_state(tmp_path) as lock, Supervisor(lock, tmp_path / LOCK_NAME) as supervisor:
        yield Build(supervisor, cache=tmp_path / "cache", log=tmp_path / "build.log", progress=silent)


@pytest.fixture
def go(tmp_path, monkeypatch):
    program = tmp_path / "path" / "go"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    program.touch(mode=0o755)
    return program


async def test_the_server_is_built_without_c_and_put_in_its_place(tmp_path, build, go):
    go.write_text(BUILDS)

    await build(tmp_path / "weaviate")

    made_by = (tmp_path / "weaviate").read_text()
    assert "github.com/weaviate/weaviate/cmd/weaviate-server@v1.35.2 CGO_ENABLED=0" in made_by


async def test_a_build_that_worked_leaves_nothing_else_behind(tmp_path, build, go):
    go.write_text(BUILDS)

    await build(tmp_path / "weaviate")

    assert list((tmp_path / "cache").iterdir()) == []


async def test_a_build_that_failed_tells_the_end_of_its_output_and_keeps_what_it_has(tmp_path, build, go):
    go.write_text(FAILS)

    with pytest.raises(BinaryUnavailableError, match="no route to host"):
        await build(tmp_path / "weaviate")

    assert (tmp_path / "cache" / "build" / "cache").exists()
    assert not (tmp_path / "weaviate").exists()
