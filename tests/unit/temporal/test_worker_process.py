"""What ends a worker's process, and what does not."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from temporal.cli.worker import run_to_the_end


async def leave() -> None:
    sys.exit(3)


def test_a_task_that_would_end_the_process_ends_alone() -> None:
    seen: list[Any] = []

    async def work() -> None:
        neighbour = asyncio.create_task(asyncio.sleep(0.01, "done"))
        seen.extend(await asyncio.gather(leave(), leave(), return_exceptions=True))
        seen.append(await neighbour)

    run_to_the_end(work())

    assert [repr(each) for each in seen] == ["SystemExit(3)", "SystemExit(3)", "'done'"]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(2)], ids=repr)
def test_what_the_worker_itself_raises_is_its_end(error) -> None:
    async def work() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        run_to_the_end(work())

    assert caught.value is error
