"""LangChain's agent with hooks of the author's own."""

from collections.abc import Awaitable, Callable
from typing import Any, NotRequired

from langchain.agents import AgentState
from langchain.agents.middleware import (
    AgentMiddleware,
    ExtendedModelResponse,
    ModelRequest,
    ModelResponse,
    after_agent,
    after_model,
    before_agent,
    before_model,
    dynamic_prompt,
    hook_config,
    wrap_model_call,
    wrap_tool_call,
)
from langchain_core.messages import AIMessage, SystemMessage, ToolMessage
from langgraph.types import Command, interrupt

from tests.integration.cases import add
from tests.integration.parity.middleware import ADDING, with_middleware


class Counted(AgentState):
    counted: NotRequired[int]


class Counting(AgentMiddleware):
    """Hooks of all kinds, a state of its own and a tool of its own model call."""

    state_schema = Counted

    async def abefore_agent(self, state: Any, runtime: Any) -> dict[str, Any]:
        runtime.stream_writer("begun")
        return {"counted": len(state["messages"]) * 100}

    def before_model(self, state: Any, runtime: Any) -> dict[str, Any]:  # noqa: ARG002
        return {"counted": state["counted"] + 1}

    def after_model(self, state: Any, runtime: Any) -> dict[str, Any]:  # noqa: ARG002
        return {"counted": state["counted"] + 10}

    async def aafter_agent(self, state: Any, runtime: Any) -> dict[str, Any]:  # noqa: ARG002
        return {"messages": [("ai", f"counted {state['counted']}")]}


def hooks(_resources: Any) -> list[Any]:
    @before_agent
    def greet(state: Any, runtime: Any) -> dict[str, Any]:  # noqa: ARG001
        return {"messages": [("user", "hello")]}

    @before_model
    async def remind(state: Any, runtime: Any) -> dict[str, Any]:  # noqa: ARG001
        return {"messages": [("system", f"{len(state['messages'])} so far")]}

    @after_model
    def praise(state: Any, runtime: Any) -> dict[str, Any] | None:  # noqa: ARG001
        return {"messages": [("user", "well done")]} if not state["messages"][-1].tool_calls else None

    @after_agent
    async def close(state: Any, runtime: Any) -> dict[str, Any]:  # noqa: ARG001
        return {"messages": [("ai", "bye")]}

    return [greet, remind, praise, close]


def jumps(_resources: Any) -> list[Any]:
    @before_model(can_jump_to=["end"])
    def stop(state: Any, runtime: Any) -> dict[str, Any] | None:  # noqa: ARG001
        enough = len(state["messages"]) > 2
        return {"jump_to": "end", "messages": [("ai", "enough")]} if enough else None

    return [stop]


def wrapped(resources: Any) -> list[Any]:
    @wrap_model_call
    async def ask_twice(request: ModelRequest, handler: Callable[..., Awaitable[ModelResponse]]) -> Any:
        """Of two answers it takes the second, of another model once there is a tool's result."""
        await handler(request)
        if isinstance(request.messages[-1], ToolMessage):
            request = request.override(model=resources.model("second"), tools=[])
        return await handler(request)

    @wrap_tool_call
    async def shout(request: Any, handler: Any) -> Any:
        arguments = {**request.tool_call["args"], "b": 100}
        answer = await handler(request.override(tool_call={**request.tool_call, "args": arguments}))
        return answer.model_copy(update={"content": f"{answer.content}!"})

    return [ask_twice, shout]


def prompted(_resources: Any) -> list[Any]:
    @dynamic_prompt
    def prompt(request: Any) -> str:
        return f"You have {len(request.messages)} messages."

    return [prompt]


def short_circuited(_resources: Any) -> list[Any]:
    @wrap_tool_call
    async def answer(request: Any, _handler: Any) -> ToolMessage:
        return ToolMessage("not called", tool_call_id=request.tool_call["id"])

    return [answer]


class Extending(AgentMiddleware):
    """Adds to what the model is asked, to the state beside its answer, and sends it back to the model once."""

    state_schema = Counted

    async def awrap_model_call(self, request: Any, handler: Any) -> Any:
        answer = await handler(request.override(system_message=SystemMessage("Be brief."), tools=request.tools[:1]))
        return ExtendedModelResponse(model_response=answer, command=Command(update={"counted": len(request.messages)}))

    @hook_config(can_jump_to=["model"])
    async def aafter_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:  # noqa: ARG002
        again = state["messages"][-1].text == "Again?"
        return {"messages": [("user", f"Yes, {state['counted']}")], "jump_to": "model"} if again else None


class Asking(AgentMiddleware):
    """Asks people before the model and around each tool."""

    async def abefore_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:  # noqa: ARG002
        return {"messages": [("user", interrupt("What else?"))]} if len(state["messages"]) == 1 else None

    async def awrap_tool_call(self, request: Any, handler: Any) -> Any:
        allowed = interrupt(f"{request.tool_call['name']}, may I?") == "ADD, MAY I?"
        return await handler(request) if allowed else ToolMessage("no", tool_call_id=request.tool_call["id"])


CASES = [
    with_middleware("hooks", add, script=ADDING, make=hooks),
    with_middleware("hooks-of-a-class", add, script=ADDING, make=lambda _: [Counting()]),
    with_middleware("jump-to-end", add, script=ADDING, make=jumps, steps=["call_model", "add"]),
    with_middleware(
        "wrapped-calls",
        add,
        script=ADDING,
        make=wrapped,
        models={"second": [AIMessage("unused"), AIMessage("From the second.")]},
    ),
    with_middleware(
        "extended", add, script=[ADDING[0], AIMessage("Again?"), AIMessage("Bye.")], make=lambda _: [Extending()]
    ),
    with_middleware("asking-hooks", add, script=ADDING, make=lambda _: [Asking()], answer=str.upper),
    with_middleware("dynamic-prompt", add, script=ADDING, make=prompted),
    with_middleware("tool-not-called", add, script=ADDING, make=short_circuited, steps=["call_model", "call_model"]),
]
