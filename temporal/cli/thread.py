"""`perdure send`, `turns`, `interrupt` and `close`: conversations of many turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic import TypeAdapter, ValidationError

from agents.errors import InvalidInput
from temporal.cli.display import open_display, show_answer
from temporal.cli.errors import say
from temporal.cli.follow import announcing_waits
from temporal.client import open_agents
from temporal.outcome import RunFailed
from workflows.contracts import AgentResult
from workflows.steps import shorten
from workflows.turns import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from temporal.settings import Settings
    from temporal.threads import Thread
    from workflows.turns import Turn


def read_policy(text: str | None) -> Policy | None:
    if text is None:
        return None
    try:
        return TypeAdapter[Policy](Policy).validate_python(text)
    except ValidationError:
        known = ", ".join(get_args(Policy))
        raise InvalidInput(f"There is no policy {text!r}. Known: {known}.") from None


async def send_turn(
    settings: Settings,
    agent: str,
    given: Any,
    *,
    thread_id: str | None,
    turn_id: str | None,
    whose: Mapping[str, str | None],
    policy: Policy | None,
    as_json: bool,
    detach: bool,
) -> None:
    """`whose` are the tenant and the user that the thread is for."""
    agents = await open_agents(settings)
    thread = agents.thread(agent, thread_id, tenant=whose["tenant"], user=whose["user"])
    if not thread_id:
        say(f"Thread {thread.id}. Go on with it: `perdure send {agent} ... --thread {thread.id}`.")
    if detach:
        turn = await thread.send(given, wait=False, policy=policy, id=turn_id)
        print(turn.model_dump_json(indent=2) if as_json else turn.id)  # noqa: T201 -- what was asked for
        return
    _show(thread, agent, await _said(thread, given, policy, turn_id, as_json=as_json), as_json=as_json)


async def show_turns(settings: Settings, thread_id: str, *, as_json: bool) -> None:
    found = await (await (await open_agents(settings)).find_thread(thread_id)).turns()
    if as_json:
        print(found.model_dump_json(indent=2))  # noqa: T201
        return
    if found.no_longer_kept:
        say(f"{found.no_longer_kept} earlier turns are no longer kept.")
    for turn in found.turns:
        print(told(turn))  # noqa: T201


async def interrupt_turn(settings: Settings, thread_id: str) -> None:
    stopped = await (await (await open_agents(settings)).find_thread(thread_id)).interrupt()
    say(f"Turn {stopped.number} is {stopped.status}.")


async def close_thread(settings: Settings, thread_id: str) -> None:
    await (await (await open_agents(settings)).find_thread(thread_id)).close()
    say(f"Thread {thread_id!r} takes no more turns.")


async def _said(thread: Thread, given: Any, policy: Policy | None, turn_id: str | None, *, as_json: bool) -> Turn:
    """The turn at its end. Meanwhile it is told what the thread asks, and that no worker is there."""
    if as_json:
        return await thread.send(given, policy=policy, id=turn_id)
    with open_display() as display:
        async with announcing_waits(thread.run, display):
            return await thread.send(given, policy=policy, id=turn_id)


def _show(thread: Thread, agent: str, turn: Turn, *, as_json: bool) -> None:
    if as_json:
        print(turn.model_dump_json(indent=2))  # noqa: T201
    elif turn.status == "done":
        answer = AgentResult(agent=agent, output=turn.output, citations=turn.citations, usage=turn.usage)
        show_answer(answer, thread.run.url)
    else:
        say(f"Turn {turn.number} is {turn.status.replace('_', ' ')}. {turn.note or ''}".rstrip())
    if turn.error:
        raise RunFailed(thread.id, turn.error.type, turn.error.message)


def told(turn: Turn) -> str:
    """A turn in one line."""
    return f"{turn.number:>4}  {turn.status:<11}  {turn.id}  {_came_to(turn)}"


def _came_to(turn: Turn) -> str:
    if turn.error:
        return f"{turn.error.type}: {shorten(turn.error.message, 80)}"
    return shorten(turn.output if isinstance(turn.output, str) else str(turn.output or turn.note or ""), 80)
