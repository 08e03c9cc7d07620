"""Steps wait for a place, in order, and none is lost by a cancellation."""

import asyncio
from contextlib import suppress

import pytest

from workflows.window import Window


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def stepping():
    """Makes steps that stay in a window, and ends them all with the test."""
    made: list[Steps] = []

    def make(**limits: int) -> Steps:
        made.append(Steps(Window(**limits)))
        return made[-1]

    yield make
    tasks = [task for steps in made for task in steps.tasks.values()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Steps:
    """Steps that stay in a window until they are told to end."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self.under_way: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, name: str, size: int = 1) -> None:
        self._ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._stay(name, size))
        await settled()

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await settled()

    async def cancel(self, name: str) -> None:
        self.tasks[name].cancel()
        with suppress(asyncio.CancelledError):
            await self.tasks[name]
        await settled()

    async def _stay(self, name: str, size: int) -> None:
        async with self._window.place(size):
            self.under_way.append(name)
            try:
                await self._ends[name].wait()
            finally:
                self.under_way.remove(name)


async def test_steps_over_the_window_wait_and_come_in_order(stepping) -> None:
    steps = stepping(steps=2)
    for name in "abcd":
        await steps.start(name)
    assert steps.under_way == ["a", "b"]

    await steps.end("a")
    assert steps.under_way == ["b", "c"]

    await steps.end("b")
    assert steps.under_way == ["c", "d"]


async def test_large_requests_wait_for_room_and_small_ones_do_not_pass_them(stepping) -> None:
    steps = stepping(size=10)
    await steps.start("half", 5)
    await steps.start("more", 6)
    await steps.start("little", 1)
    assert steps.under_way == ["half"]

    await steps.end("half")
    assert steps.under_way == ["more", "little"]


async def test_a_request_larger_than_the_window_has_it_to_itself(stepping) -> None:
    steps = stepping(size=10)
    await steps.start("huge", 100)
    await steps.start("little", 1)
    assert steps.under_way == ["huge"]

    await steps.end("huge")
    assert steps.under_way == ["little"]


async def test_a_step_that_is_cancelled_while_it_waits_takes_no_place(stepping) -> None:
    steps = stepping(steps=1)
    for name in "abc":
        await steps.start(name)

    await steps.cancel("b")
    await steps.end("a")

    assert steps.under_way == ["c"]


async def test_a_step_that_is_cancelled_as_its_turn_comes_gives_the_place_on(stepping) -> None:
    steps = stepping(steps=1)
    for name in "abc":
        await steps.start(name)

    steps._ends["a"].set()
    while not steps.tasks["a"].done():
        await asyncio.sleep(0)
    await steps.cancel("b")

    assert steps.under_way == ["c"]
