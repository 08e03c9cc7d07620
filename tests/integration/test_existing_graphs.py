"""A graph that was there before, with a model of its own and synchronous nodes, runs in activities as it is."""

import operator
from typing import Annotated, Any, Literal, TypedDict

import pytest
from langchain.chat_models import init_chat_model
from langchain_core.messages import AnyMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command
from pydantic import BaseModel

from agents import Agent
from agents.exchange import output_of
from tests.integration.conftest import steps
from tests.integration.provider_server import MODEL, Reply, serve_provider
from tests.integration.test_agent_workflow import GREETING

ACTIVITY = {"execute_in": "activity"}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def calculator(model: Any, metadata: Any) -> Any:
    class State(TypedDict):
        messages: Annotated[list[AnyMessage], operator.add]
        llm_calls: int

    bound = model.bind_tools([add])

    def llm_call(state: dict) -> Any:
        said = bound.invoke([SystemMessage("You do arithmetic."), *state["messages"]])
        return {"messages": [said], "llm_calls": state.get("llm_calls", 0) + 1}

    def tool_node(state: dict) -> Any:
        calls = state["messages"][-1].tool_calls
        return {"messages": [ToolMessage(str(add.invoke(each["args"])), tool_call_id=each["id"]) for each in calls]}

    def should_continue(state: State) -> Literal["tool_node", "__end__"]:
        return "tool_node" if state["messages"][-1].tool_calls else END

    graph = StateGraph(State)
    graph.add_node("llm_call", llm_call, metadata=metadata).add_node("tool_node", tool_node, metadata=metadata)
    graph.add_edge(START, "llm_call").add_edge("tool_node", "llm_call")
    graph.add_conditional_edges("llm_call", should_continue, ["tool_node", END])
    return graph.compile(checkpointer=InMemorySaver())


class Route(BaseModel):
    """Where to go on."""

    next: Literal["worker", "FINISH"]


def supervisor(model: Any, metadata: Any) -> Any:
    class State(TypedDict):
        task: str
        done: Annotated[list[str], operator.add]

    router = model.with_structured_output(Route, method="function_calling")

    def supervise(state: State) -> Command[Literal["worker", "__end__"]]:
        goto = router.invoke(f"{state['task']}, done: {state['done']}").next
        return Command(goto=END if goto == "FINISH" else goto)

    async def work(state: State) -> Command[Literal["supervise"]]:
        answer = await model.ainvoke(state["task"])
        return Command(update={"done": [answer.text]}, goto="supervise")

    graph = StateGraph(State).add_edge(START, "supervise")
    graph.add_node("supervise", supervise, metadata=metadata).add_node("worker", work, metadata=metadata)
    return graph.compile(checkpointer=InMemorySaver())


CASES = {
    calculator: (
        {"messages": [{"role": "user", "content": "Add 3 and 4."}]},
        [Reply("", (("add", {"a": 3, "b": 4}),)), Reply("It is 7.")],
        ["llm_call", "tool_node", "llm_call"],
    ),
    supervisor: (
        {"task": "Dig.", "done": []},
        [Reply("", (("Route", {"next": "worker"}),)), Reply("Dug."), Reply("", (("Route", {"next": "FINISH"}),))],
        ["supervise", "worker", "supervise"],
    ),
}


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
async def test_it_answers_as_in_plain_langgraph(bench, make) -> None:
    given, replies, nodes = CASES[make]

    with serve_provider() as provider:
        model = init_chat_model(f"openai:{MODEL}", base_url=provider.url, api_key="none")
        provider.will_reply(*replies)
        expected = await make(model, {}).ainvoke(given, {"configurable": {"thread_id": "plain"}})
        provider.will_reply(*replies)
        agent = Agent("existing", lambda _resources: make(model, ACTIVITY))
        result, history = await bench(agent, GREETING).run(given)

    assert result["output"] == output_of(expected)
    assert steps(history) == [f"existing.{node}" for node in nodes]
    first, again = provider.requests[: len(replies)], provider.requests[len(replies) :]
    assert [request["messages"] for request in again] == [request["messages"] for request in first]
