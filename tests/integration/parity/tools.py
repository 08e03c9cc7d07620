"""Tools: what they take, what they give back, and how they fail."""

import asyncio
from typing import Annotated, Any

from langchain.agents import AgentState
from langchain.tools import ToolRuntime
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool, ToolException, tool
from langgraph.config import get_config, get_store, get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import add_messages, push_message
from langgraph.graph.ui import AnyUIMessage, push_ui_message, ui_message_reducer
from langgraph.prebuilt import InjectedState, InjectedStore, ToolNode, tools_condition
from langgraph.store.base import BaseStore
from langgraph.types import Command
from pydantic import BaseModel, Field

from agents.testing import call
from tests.integration.cases import (
    Point,
    add,
    announce,
    count_messages,
    first_words,
    look_up,
    mirror,
    multiply,
    note,
    receipt,
    refuse,
    two_calls,
    weigh,
    where,
)
from tests.integration.parity.case import Case, reacting


def around_tools(**options: Any) -> Any:
    """A model and a `ToolNode`, by hand."""

    def build(resources: Any) -> Any:
        bound = resources.model().bind_tools(resources.tools)

        async def ask(state: MessagesState) -> dict[str, Any]:
            return {"messages": [await bound.ainvoke(state["messages"])]}

        graph = StateGraph(MessagesState).add_node("ask", ask).add_node("tools", ToolNode(resources.tools, **options))
        graph.add_edge(START, "ask").add_edge("tools", "ask")
        graph.add_conditional_edges("ask", tools_condition)
        return graph

    return build


@tool
def divide(a: int, b: int) -> float:
    """Divide."""
    return a / b


class ShopError(Exception):
    """As clients of services raise it."""

    status_code = 404


@tool
def ask_shop(kind: str) -> str:
    """Ask a service that fails."""
    match kind:
        case "gone":
            raise ShopError("There is no such article.")
        case "refused":
            raise ConnectionRefusedError(111, "Connection refused")
        case _:
            raise TimeoutError("The shop says nothing.")


@tool
def deny(reason: str) -> str:
    """Refuse, in words of its own."""
    raise ToolException(f"denied: {reason}")


deny.handle_tool_error = lambda error: f"handled {error}"


@tool
def only_ints(number: int) -> int:
    """Take a number."""
    return number


only_ints.handle_validation_error = "a number, please"


@tool(return_direct=True)
def final_word(text: str) -> str:
    """Say the last word."""
    return text


@tool
def remember(text: str, runtime: ToolRuntime) -> str:
    """Keep a text in the store."""
    runtime.store.put(("parity", "tools"), "text", {"text": text})
    return f"kept {len(text)}"


@tool
def recall(store: Annotated[BaseStore, InjectedStore()]) -> str:
    """Find the text again."""
    found = store.get(("parity", "tools"), "text")
    return f"{found.value['text']}, {get_store().get(('parity', 'tools'), 'text').key}"


@tool
def mood_of(mood: Annotated[str, InjectedState("mood")], state: Annotated[dict, InjectedState]) -> str:
    """Say the mood that the state has."""
    return f"{mood} with {len(state['messages'])} messages"


@tool
def brighten(runtime: ToolRuntime) -> Command:
    """Change the mood."""
    said = ToolMessage("brightened", tool_call_id=runtime.tool_call_id)
    return Command(update={"mood": f"brighter than {runtime.state['mood']}", "messages": [said]})


@tool
def finish(runtime: ToolRuntime) -> Command:
    """End the work."""
    return Command(goto="__end__", update={"messages": [ToolMessage("over", tool_call_id=runtime.tool_call_id)]})


@tool
def parts() -> list[dict[str, Any]]:
    """Give content of several parts."""
    return [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]


@tool
def own_message(runtime: ToolRuntime) -> ToolMessage:
    """Write the message itself."""
    return ToolMessage("mine", tool_call_id=runtime.tool_call_id, name="own_message", artifact={"raw": b"\x01"})


class Parcel(BaseModel):
    weight: float = Field(gt=0, description="in kilograms")
    labels: list[str] = []


@tool(args_schema=Parcel)
def send_parcel(weight: float, labels: list[str]) -> dict[str, Any]:
    """Send a parcel."""
    return {"price": weight * 2, "labels": labels}


class Counting(BaseTool):
    name: str = "counting"
    description: str = "Count the letters."

    def _run(self, text: str) -> int:
        return len(text)

    async def _arun(self, text: str) -> int:
        await asyncio.sleep(0)
        return len(text)


@tool
async def write_a_lot(runtime: ToolRuntime) -> str:
    """Write to the stream by both ways."""
    runtime.stream_writer({"step": 1})
    get_stream_writer()({"step": 2, "point": Point(x=1, y=2)})
    return get_config()["metadata"]["langgraph_node"]


@tool
def show_town(town: str) -> str:
    """Show a town, by a message and a card."""
    said = push_message(AIMessage(f"This is {town}.", id="said"), state_key="said")
    push_ui_message("card", {"town": town}, id="card", message=said)
    return "shown"


class Moody(AgentState):
    mood: str


class Shown(AgentState):
    said: Annotated[list[AnyMessage], add_messages]
    ui: Annotated[list[AnyUIMessage], ui_message_reducer]


structured = StructuredTool.from_function(func=lambda word: word[::-1], name="reverse", description="Reverse a word.")
asked = {"messages": [("user", "please")], "mood": "calm"}


def using(name: str, *tools: Any, script: Any, given: Any = "please", build: Any = None, **options: Any) -> Case:
    return Case(name, build or reacting(), given, [*script, AIMessage("Done.")], tools=tools, **options)


def both(first: AIMessage, second: AIMessage) -> AIMessage:
    return AIMessage("", tool_calls=[*first.tool_calls, *second.tool_calls])


CASES = [
    using("no-call", add, script=[], steps=["call_model"]),
    using("parallel-calls", add, multiply, script=[two_calls()], steps=["call_model", "add", "multiply", "call_model"]),
    using("runtime", count_messages, script=[call("count_messages")]),
    using("injected-state", first_words, script=[call("first_words")]),
    using("command-of-a-tool", note, script=[call("note", text="x")]),
    using("artifact", look_up, script=[call("look_up", word="durable")]),
    using("tool-exception", refuse, script=[call("refuse", reason="no")]),
    using("own-error-text", deny, script=[call("deny", reason="no")]),
    using("own-validation-text", only_ints, script=[call("only_ints", number="many")]),
    using("bad-arguments", add, script=[call("add", a="one", b=2)], steps=["call_model", "call_model"]),
    using("missing-argument", add, script=[call("add", a=1)], steps=["call_model", "call_model"]),
    using("unknown-tool", add, script=[call("subtract", a=1, b=2)], steps=["call_model", "call_model"]),
    using("stream-writer", announce, script=[call("announce", text="soon")]),
    using("both-writers", write_a_lot, script=[call("write_a_lot")], options={"types": [Point]}),
    using("config", where, script=[call("where", place="here")]),
    using("alias", weigh, script=[call("weigh", parcel={"Weight": 3})]),
    using("call-id", receipt, script=[call("receipt", amount=3)]),
    using("model-in-and-out", mirror, script=[call("mirror", point={"x": 1, "y": 2})]),
    using("schema", send_parcel, script=[call("send_parcel", weight=2, labels=["a"])]),
    using("class-of-its-own", Counting(), script=[call("counting", text="abc")]),
    using("from-a-function", structured, script=[call("reverse", word="abc")]),
    using("content-in-parts", parts, script=[call("parts")]),
    using("own-message", own_message, script=[call("own_message")]),
    using("return-direct", final_word, script=[call("final_word", text="fin")], steps=["call_model", "final_word"]),
    using("store-in-tools", remember, recall, script=[call("remember", text="x"), call("recall", "two")]),
    using(
        "state-of-its-own",
        mood_of,
        brighten,
        script=[call("brighten"), call("mood_of", "two")],
        given=asked,
        build=reacting(state_schema=Moody),
    ),
    using(
        "pushing-tool",
        show_town,
        script=[call("show_town", town="Rome")],
        build=reacting(state_schema=Shown),
    ),
    using(
        "two-commands",
        note,
        add,
        script=[both(call("note", text="x"), call("add", "two", a=1, b=2))],
    ),
    using("goto-of-a-tool", finish, script=[call("finish")], build=around_tools()),
    using("tool-node", add, multiply, script=[two_calls()], build=around_tools()),
    using(
        "errors-handled",
        divide,
        script=[call("divide", a=1, b=0)],
        build=around_tools(handle_tool_errors=True),
        steps=["call_model", "divide", "call_model"],
    ),
    using(
        "errors-by-class",
        divide,
        script=[call("divide", a=1, b=0)],
        build=around_tools(handle_tool_errors=(ZeroDivisionError,)),
    ),
    using(
        "errors-of-services",
        ask_shop,
        script=[call("ask_shop", kind, kind=kind) for kind in ("gone", "refused", "slow")],
        build=around_tools(handle_tool_errors=(ShopError, ConnectionRefusedError, TimeoutError)),
    ),
    using(
        "errors-by-function",
        divide,
        script=[call("divide", a=1, b=0)],
        build=around_tools(handle_tool_errors=lambda error: f"{type(error).__name__}, sorry"),
    ),
    using("error-let-through", divide, script=[call("divide", a=1, b=0)], fails="ZeroDivisionError"),
    using(
        "error-of-another-class",
        divide,
        script=[call("divide", a=1, b=0)],
        build=around_tools(handle_tool_errors=KeyError),
        fails="ZeroDivisionError",
    ),
]
