"""The functional API, and tasks in graphs."""

import asyncio
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.config import get_stream_writer
from langgraph.func import entrypoint, task
from langgraph.types import RetryPolicy, interrupt

from tests.integration.parity.case import Case
from tests.integration.parity.graphs import EMPTY, Totals, going_through


def doubling(_resources: Any) -> Any:
    @task
    def double(number: int) -> int:
        return number * 2

    @entrypoint()
    async def program(numbers: list[int]) -> list[int]:
        return [await double(number) for number in numbers]

    return program


def identical(_resources: Any) -> Any:
    """The same task with the same argument runs each time that it is called."""
    ran: list[str] = []

    @task
    async def say(word: str) -> str:
        get_stream_writer()(f"saying {word}")
        return word

    @entrypoint()
    async def program(word: str) -> dict[str, Any]:
        ran.clear()
        return {"said": [await say(word), await say(word), *(await asyncio.gather(say(word), say(word)))]}

    return program


def at_once(_resources: Any) -> Any:
    """Tasks that are started first and waited for later, and tasks that call tasks."""

    @task
    def square(number: int) -> int:
        return number * number

    @task
    async def sum_of_squares(numbers: list[int]) -> int:
        return sum([await each for each in [square(number) for number in numbers]])

    @entrypoint()
    async def program(numbers: list[int]) -> dict[str, Any]:
        futures = [square(number) for number in numbers]
        total = sum_of_squares(numbers)
        return {"squares": [await future for future in futures], "total": await total}

    return program


def synchronous_program(_resources: Any) -> Any:
    @entrypoint()
    def program(given: dict[str, int], *, previous: Any = None) -> dict[str, Any]:
        return {"sum": sum(given.values()), "previous": previous}

    return program


def keeping(_resources: Any) -> Any:
    """What a program returns is not what it keeps."""

    @entrypoint()
    async def program(number: int, *, previous: int | None = None) -> Any:
        return entrypoint.final(value={"previous": previous, "number": number}, save=number + 1)

    return program


def asking(_resources: Any) -> Any:
    """The tasks before a question do not run again with its answer."""

    @task
    def count(number: int) -> int:
        return number + 1

    @entrypoint()
    async def program(number: int) -> dict[str, Any]:
        first = await count(number)
        said = interrupt({"so far": first})
        second = await count(first)
        return {"counted": second, "said": [said, interrupt("And now?")]}

    return program


def calling_models(resources: Any) -> Any:
    @task
    async def ask(question: str) -> str:
        return (await resources.model().ainvoke(question)).text

    @entrypoint()
    async def program(questions: list[str]) -> list[str]:
        return await asyncio.gather(*map(ask, questions))

    return program


def failing_task(_resources: Any) -> Any:
    """An error of a task reaches the program, which may catch it."""

    @task
    def divide(number: int) -> float:
        return 1 / number

    @entrypoint()
    async def program(number: int) -> dict[str, Any]:
        try:
            await divide(number)
        except ZeroDivisionError as error:
            return {"caught": str(error)}
        return {}

    return program


def retried_task(_resources: Any) -> Any:
    from langgraph.runtime import get_runtime  # noqa: PLC0415

    @task(retry_policy=RetryPolicy(max_attempts=3, initial_interval=0.01, jitter=False))
    async def third_time() -> int:
        attempt = get_runtime().execution_info.node_attempt
        if attempt < 3:
            raise ConnectionError("not yet")
        return attempt

    @entrypoint()
    async def program(_given: Any) -> dict[str, Any]:
        return {"attempt": await third_time()}

    return program


def gathered(_resources: Any) -> Any:
    """Tasks that end in another order than they began, one of which fails, and asyncio's own ways to wait."""

    @task
    async def nap(number: int) -> int:
        await asyncio.sleep(0.01 * (3 - number))
        if number == 2:
            raise ValueError(f"not {number}")
        return number

    @entrypoint()
    async def program(numbers: list[int]) -> dict[str, Any]:
        found = await asyncio.gather(*map(nap, numbers), return_exceptions=True)
        async with asyncio.TaskGroup() as group:
            slept = group.create_task(asyncio.sleep(0.01, "slept"))
        return {"found": [*map(repr, found)], "slept": slept.result()}

    return program


def calling_graphs(_resources: Any) -> Any:
    """The same graph asks in a task and in the program itself."""
    inner = going_through(Totals, lambda state: {"path": [interrupt(f"From {state['path']}?")]}).compile()

    @task
    async def call(word: str) -> list[str]:
        return (await inner.ainvoke({"path": [word]}))["path"]

    @entrypoint()
    async def program(word: str) -> dict[str, Any]:
        return {"task": await call(word), "program": (await inner.ainvoke({"path": ["program"]}))["path"]}

    return program


def tasks_of_a_node(_resources: Any) -> Any:
    @task
    def double(number: int) -> int:
        return number * 2

    async def node(state: Totals) -> dict[str, Any]:
        return {"numbers": await asyncio.gather(*[double(number) for number in state["numbers"]])}

    return going_through(Totals, lambda _state: {"numbers": [1, 2, 3]}, node)


CASES = [
    Case("functional", doubling, [1, 2, 3], steps=[]),
    Case("identical-tasks", identical, "hi", steps=[]),
    Case("tasks-at-once", at_once, [1, 2, 3]),
    Case("synchronous-program", synchronous_program, {"a": 1, "b": 2}),
    Case("keeping", keeping, 5),
    Case("program-that-asks", asking, 1, answer=str),
    Case(
        "tasks-that-call-models",
        calling_models,
        ["one?", "two?"],
        [AIMessage("Forty-two.")],
        steps=["call_model", "call_model"],
    ),
    Case("failing-task", failing_task, 0),
    Case("retried-task", retried_task, "go"),
    Case("gathered-tasks", gathered, [0, 1, 2]),
    Case("program-that-calls-graphs", calling_graphs, "task", answer=str.upper),
    Case("tasks-of-a-node", tasks_of_a_node, EMPTY),
]
