"""An agent that a process can find, with tools that misbehave. They note what they do in a folder."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain.tools import ToolRuntime
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import ToolException, tool
from langgraph.config import get_stream_writer
from langgraph.types import interrupt
from pydantic import BaseModel
from temporalio import activity

from agents import Agent, Resources, StepOptions, durable


class Money(BaseModel):
    amount: int


def note(folder: str, name: str, text: str = "") -> None:
    """Whole or not at all: a test reads it as soon as it is there."""
    draft = Path(folder, f".{name}-{os.getpid()}")
    draft.write_text(text)
    draft.rename(Path(folder, name))


@tool
def where() -> int:
    """Say in which process."""
    return os.getpid()


@tool
def spend(money: Money) -> Money:
    """Spend one."""
    return Money(amount=money.amount - 1)


@tool
def look(place: str, runtime: ToolRuntime, config: RunnableConfig) -> dict[str, Any]:
    """Say what is around."""
    get_stream_writer()({"looked": place})
    activity.heartbeat("looking")
    return {
        "messages": [message.text for message in runtime.state["messages"]],
        "call": runtime.tool_call_id,
        "thread": threading.current_thread() is threading.main_thread(),
        "attempt": activity.info().attempt,
        "tags": config["metadata"]["langgraph_node"],
    }


@tool
def remember(key: str, runtime: ToolRuntime) -> Any:
    """Remember, and say what was there."""
    before = runtime.store.get(("kept",), key)
    runtime.store.put(("kept",), key, {"money": Money(amount=1 + (before.value["money"].amount if before else 0))})
    return runtime.store.search(("kept",))[0].value["money"]


@tool
def confirm(action: str) -> str:
    """Ask."""
    return f"{action}: {interrupt({'confirm': action})}"


@tool
def refuse(reason: str) -> str:
    """Refuse."""
    raise ToolException(reason)


@tool
def fail(reason: str) -> str:
    """Fail."""
    raise ZeroDivisionError(reason)


@tool
def hang(folder: str, name: str) -> str:
    """Sleep for ever, with a child."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    note(folder, name, f"{os.getpid()} {child.pid}")
    while not Path(folder, "go").exists():
        time.sleep(0.05)
    note(folder, f"{name}-effect")
    return "never"


@tool
def die(folder: str, way: str) -> str:
    """End the process."""
    note(folder, f"died-{activity.info().attempt}")
    if way == "exit":
        os._exit(3)
    os.kill(os.getpid(), signal.SIGSEGV)
    return "never"


@tool
async def die_in_the_worker(folder: str) -> str:
    """End the worker."""
    note(folder, f"died-{activity.info().attempt}")
    os._exit(3)


@tool
async def block(folder: str) -> str:
    """Block the loop."""
    note(folder, f"block-{activity.info().attempt}")
    while not Path(folder, "go").exists():
        time.sleep(0.05)  # noqa: ASYNC251 -- what a careless author writes
    note(folder, "effect")
    return "unblocked"


@tool
async def stay(folder: str) -> str:
    """Stay on the loop, whatever is said."""
    note(folder, "stay")
    while not Path(folder, "go").exists():
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0.05)
    note(folder, "effect")
    return "gone"


@tool
async def shout(text: str) -> str:
    """Shout."""
    return text.upper()


@tool
async def answer(text: str) -> str:
    """Answer."""
    return f"{text} from {os.getpid()}"


def build(resources: Resources) -> Any:
    return create_agent(resources.model(), resources.tools)


_TOOLS = [where, spend, look, remember, confirm, refuse, fail, hang, die, die_in_the_worker, block, stay, shout, answer]
TOOLS = [durable(effect="idempotent")(each) for each in _TOOLS]
"""What they note is in files of one name, so they may be tried again."""
STEP = StepOptions(attempts=3, heartbeat=timedelta(seconds=3))
agent = Agent("isolated", build, tools=TOOLS, types=[Money], tool_step=STEP, isolation={"answer": "process"})
asynchronous = Agent(
    "isolated", build, tools=[durable(effect="idempotent")(each) for each in (die_in_the_worker, shout)], tool_step=STEP
)
persistent = Agent("isolated", build, tools=TOOLS, types=[Money], tool_step=StepOptions(attempts=9))
