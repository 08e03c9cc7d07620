"""Callbacks that nobody hears cost nothing, and those that somebody hears come as LangChain sends them."""

import asyncio
import uuid
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.callbacks.manager import (
    AsyncCallbackManager,
    AsyncCallbackManagerForChainRun,
    AsyncParentRunManager,
)

from workflows import quiet

quiet.install()


class Heard(AsyncCallbackHandler):
    def __init__(self) -> None:
        self.events: list[str] = []

    async def on_chain_start(self, *_args: Any, **_options: Any) -> None:
        self.events.append("start")

    async def on_chain_end(self, *_args: Any, **_options: Any) -> None:
        await asyncio.sleep(0)
        self.events.append("end")

    async def on_chain_error(self, error: BaseException, **_options: Any) -> None:
        self.events.append(f"error: {error}")


def manager(*handlers: AsyncCallbackHandler) -> AsyncCallbackManager:
    return AsyncCallbackManager([*handlers], [*handlers])


async def begun(*handlers: AsyncCallbackHandler) -> AsyncCallbackManagerForChainRun:
    return await manager(*handlers).on_chain_start(None, {})


async def test_a_run_without_handlers_begins_and_ends_without_a_task():
    def no_task(*_args: object, **_options: object) -> None:
        pytest.fail("a task was made")

    asyncio.get_running_loop().set_task_factory(no_task)  # type: ignore[arg-type]
    try:
        run = await begun()
        await run.on_chain_end({})
        await run.on_chain_error(ValueError("in vain"))
    finally:
        asyncio.get_running_loop().set_task_factory(None)


async def test_a_handler_hears_what_it_heard_before():
    heard = Heard()

    await (await begun(heard)).on_chain_end({})
    await (await begun(heard)).on_chain_error(ValueError("in vain"))

    assert heard.events == ["start", "end", "start", "error: in vain"]


async def test_the_end_of_a_run_is_still_shielded_where_it_is_heard():
    heard = Heard()
    run = await begun(heard)
    ending = asyncio.ensure_future(run.on_chain_end({}))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    while "end" not in heard.events:
        await asyncio.sleep(0)


LANGCHAINS: Any = AsyncParentRunManager.get_child.__wrapped__  # type: ignore[attr-defined]


@pytest.mark.parametrize("handlers", [[], [Heard()]])
@pytest.mark.parametrize("tag", [None, "seq:step:1", "mine"])
@pytest.mark.parametrize("tags", [[], ["mine"], ["mine", "mine", "other"]])
def test_a_child_is_the_one_that_langchain_makes(handlers, tag, tags):
    run = AsyncCallbackManagerForChainRun(
        run_id=uuid.uuid4(),
        handlers=handlers,
        inheritable_handlers=handlers,
        tags=["not inherited"],
        inheritable_tags=tags,
        metadata={"thread_id": "1"},
        inheritable_metadata={"thread_id": "1", "lc_versions": {"langchain": "1"}},
    )

    child, expected = run.get_child(tag), LANGCHAINS(run, tag)

    assert vars(child) == vars(expected)
    child.add_tags(["later"])
    child.add_metadata({"later": True})
    assert run.inheritable_tags == tags
    assert "later" not in run.inheritable_metadata
