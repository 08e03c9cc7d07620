"""Asynchronous bodies beside one that blocks, ignores or goes on."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from activities.loops import BodyLoops, LoopBody
from activities.threads import BodyThread, Stopped


@pytest.fixture
async def loops() -> AsyncIterator[BodyLoops]:
    made = BodyLoops()
    yield made
    await made.close()


def start(loops: BodyLoops, work: Any, **options: Any) -> LoopBody:
    return loops.start(work, contextvars.copy_context(), "body", **options)


async def of_loop() -> int:
    return id(asyncio.get_running_loop())


async def test_bodies_share_a_loop_that_is_not_the_workers(loops) -> None:
    first, second = await start(loops, of_loop).done, await start(loops, of_loop).done

    assert first == second != id(asyncio.get_running_loop())


async def test_a_body_that_is_to_be_alone_has_a_loop_of_its_own(loops) -> None:
    assert await start(loops, of_loop).done != await start(loops, of_loop, alone=True).done


async def test_what_comes_after_a_body_that_blocks_has_another_loop_until_the_first_answers_again(loops) -> None:
    blocked, free = threading.Event(), threading.Event()

    async def block() -> int:
        blocked.set()
        free.wait()
        return await of_loop()

    blocking = start(loops, block)
    await asyncio.to_thread(blocked.wait)
    meanwhile = await start(loops, of_loop).done  # it waits on the first loop before it is moved
    later = await start(loops, of_loop).done
    free.set()
    first = await blocking.done
    while (after := await start(loops, of_loop).done) != first:
        await asyncio.sleep(0.05)

    assert meanwhile == later != first
    assert after == first


async def test_a_body_sees_its_context_and_its_exception_comes_back(loops) -> None:
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name")
    name.set("here")

    async def fail() -> None:
        raise ValueError(name.get())

    with pytest.raises(ValueError, match="here"):
        await start(loops, fail).done


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("is_in_a_task", [False, True])
async def test_a_body_that_would_end_the_process_ends_alone(loops, error, is_in_a_task) -> None:
    async def leave() -> None:
        raise error

    async def leave_later() -> None:
        await asyncio.gather(leave(), return_exceptions=is_in_a_task)

    neighbour = start(loops, asyncio.Event().wait)
    left = start(loops, leave_later if is_in_a_task else leave)
    if is_in_a_task:
        assert await left.done is None
    else:
        await asyncio.wait({left.done})
        assert isinstance(left.done.exception(), error)
    after = await start(loops, of_loop).done

    assert after == id(left.loop.loop)
    assert not neighbour.done.done()


async def test_a_body_may_clean_up_when_it_is_stopped(loops) -> None:
    begun, cleaned = threading.Event(), threading.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    body = start(loops, wait)
    await asyncio.to_thread(begun.wait)

    assert await body.stop(30)
    assert cleaned.is_set()
    with pytest.raises(asyncio.CancelledError):
        body.done.result()


async def test_a_body_that_ignores_its_cancellation_is_closed(loops) -> None:
    begun, closed = threading.Event(), threading.Event()

    async def stay() -> None:
        begun.set()
        try:
            while True:
                with suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
        except GeneratorExit:
            closed.set()
            raise

    body = start(loops, stay)
    await asyncio.to_thread(begun.wait)

    assert await body.stop(0.1)
    assert closed.is_set()


async def test_a_body_that_waits_even_when_it_is_closed_goes_no_further(loops) -> None:
    begun, further = threading.Event(), threading.Event()

    async def cling() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            with suppress(asyncio.CancelledError, GeneratorExit):
                await asyncio.Event().wait()
            await asyncio.sleep(0)
            further.set()

    body = start(loops, cling)
    await asyncio.to_thread(begun.wait)

    assert await body.stop(0.1)
    await start(loops, of_loop).done
    assert not further.is_set()


async def test_a_body_that_has_not_begun_never_does(loops) -> None:
    blocked, free, begun = threading.Event(), threading.Event(), threading.Event()

    async def block() -> None:
        blocked.set()
        free.wait()

    async def begin() -> None:
        begun.set()

    blocking = start(loops, block)
    await asyncio.to_thread(blocked.wait)
    waiting = start(loops, begin)

    assert await waiting.stop(30)
    free.set()
    await blocking.done
    await start(loops, of_loop).done
    assert not begun.is_set()


async def test_a_body_that_blocks_does_no_more_when_it_wakes_after_it_was_stopped(loops) -> None:
    blocked, free, further = threading.Event(), threading.Event(), threading.Event()

    async def block() -> None:
        blocked.set()
        free.wait()
        further.set()

    body = start(loops, block)
    await asyncio.to_thread(blocked.wait)

    assert not await body.stop(0.1)
    free.set()
    with pytest.raises(Stopped):
        await body.done
    assert not further.is_set()


async def test_a_thread_does_no_more_when_it_wakes_after_it_was_stopped() -> None:
    blocked, free, further = threading.Event(), threading.Event(), threading.Event()

    def block() -> None:
        blocked.set()
        free.wait()
        further.set()

    body = BodyThread(block, "body")
    await asyncio.to_thread(blocked.wait)

    assert not await body.stop(0.1)
    free.set()
    with pytest.raises(Stopped):
        await body.done
    assert not further.is_set()


async def test_a_thread_gives_back_what_its_work_gives() -> None:
    def stop() -> None:
        raise StopIteration(3)

    assert await BodyThread(lambda: 3, "body").done == 3
    with pytest.raises(RuntimeError, match="StopIteration"):
        await BodyThread(stop, "body").done
