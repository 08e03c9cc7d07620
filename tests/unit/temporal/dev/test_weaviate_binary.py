import os
from pathlib import Path

import pytest

from temporal.dev.errors import BinaryUnavailableError
from temporal.dev.progress import silent
from temporal.dev.weaviate_binary import cached_path, find_weaviate


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755)
    return path


async def makes(path: Path) -> None:
    program(path)


async def closed(_path: Path) -> None:
    raise BinaryUnavailableError("The network is closed.\nDetails.")


async def forbidden(_path: Path) -> None:
    raise AssertionError


async def test_a_named_binary_comes_first(tmp_path):
    named = program(tmp_path / "named")
    program(cached_path(tmp_path))

    assert await find_weaviate(named, cache=tmp_path, ways=[forbidden], progress=silent) == named


async def test_a_named_binary_that_cannot_be_run_is_refused_rather_than_passed_over(tmp_path):
    named = tmp_path / "named"
    named.touch(mode=0o644)
    program(cached_path(tmp_path))

    with pytest.raises(BinaryUnavailableError, match="named' is no program"):
        await find_weaviate(named, cache=tmp_path, ways=[], progress=silent)


async def test_the_cache_comes_before_every_way_of_getting_one(tmp_path):
    cached = program(cached_path(tmp_path))

    assert await find_weaviate(None, cache=tmp_path, ways=[forbidden], progress=silent) == cached


async def test_the_ways_are_tried_in_order_until_one_works(tmp_path):
    said = []

    found = await find_weaviate(
        None, cache=tmp_path, ways=[closed, makes, forbidden], progress=lambda *said_now: said.append(said_now)
    )

    assert found == cached_path(tmp_path)
    assert said == [("weaviate", "The network is closed.")]


async def test_when_no_way_works_each_reason_and_the_remedy_are_told(tmp_path):
    with pytest.raises(BinaryUnavailableError) as caught:
        await find_weaviate(None, cache=tmp_path, ways=[closed, closed], progress=silent)

    assert str(caught.value).count("The network is closed.") == 2
    assert f"Put a binary at {str(cached_path(tmp_path))!r}" in str(caught.value)


def test_the_cache_tells_machines_and_versions_apart(tmp_path):
    name = cached_path(tmp_path).name

    assert name.startswith("weaviate-1.35.2-")
    assert name.endswith(os.uname().machine)
