import shutil
import sys

import pytest

from temporal.dev.go_toolchain import LOCK, find_go, installer


@pytest.fixture
def path(tmp_path, monkeypatch):
    """The only folder in which programs are found."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("UV", raising=False)
    return folder


def put(folder, name, output=""):
    program = folder / name
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\necho {output}\n")
    program.chmod(0o755)
    return program


async def refuse(_arguments):
    raise AssertionError


async def test_this_machines_own_go_is_taken_when_it_is_new_enough(tmp_path, path):
    go = put(path, "go", "go1.25.0")

    assert await find_go(tmp_path / "toolchain", cache=tmp_path, run=refuse) == go


async def test_an_older_go_is_passed_over_for_one_that_is_installed(tmp_path, path):
    put(path, "go", "go1.19.8")
    ran = []

    async def run(arguments):
        ran.append(arguments)

    found = await find_go(tmp_path / "toolchain", cache=tmp_path, run=run)

    assert found == tmp_path / "toolchain" / "go" / "bin" / "go"
    assert ran[0][-4:] == ("--target", str(tmp_path / "toolchain"), "-r", str(LOCK))
    assert "--require-hashes" in ran[0]


@pytest.mark.usefixtures("path")
async def test_a_toolchain_that_is_there_already_is_not_installed_again(tmp_path):
    there = put(tmp_path / "toolchain" / "go" / "bin", "go")

    assert await find_go(tmp_path / "toolchain", cache=tmp_path, run=refuse) == there


def test_the_callers_uv_installs_it(tmp_path, path):
    uv = put(path, "uv")

    assert installer(tmp_path)[0] == str(uv) == shutil.which("uv")


@pytest.mark.usefixtures("path")
def test_otherwise_the_uv_that_setup_keeps(tmp_path):
    kept = put(tmp_path / "uv" / "bin", "uv")

    assert installer(tmp_path)[0] == str(kept)


@pytest.mark.usefixtures("path")
def test_otherwise_pip(tmp_path):
    assert installer(tmp_path)[:4] == (sys.executable, "-m", "pip", "install")
