"""Structured answers, models that are chosen as the run goes, and models that are called by hand."""

from typing import Any, TypedDict

from langchain.agents import create_agent
from langchain.agents.middleware import wrap_model_call
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langgraph.graph import START, MessagesState, StateGraph
from pydantic import BaseModel, Field

from agents.testing import call
from tests.integration.cases import Point, add
from tests.integration.parity.case import Case, reacting
from tests.integration.parity.graphs import going_through


class Verdict(BaseModel):
    """What is thought of it."""

    good: bool
    score: int = Field(ge=0, le=10)


class Asked(TypedDict):
    question: str
    found: Any


WRONG_THEN_RIGHT = [call("Verdict", "one", good=True, score=99), call("Verdict", "two", good=True, score=9)]


def structured_by_hand(include_raw: bool) -> Any:  # noqa: FBT001
    def build(resources: Any) -> Any:
        async def ask(state: Asked) -> dict[str, Any]:
            model = resources.model().with_structured_output(Point, include_raw=include_raw)
            return {"found": await model.ainvoke(state["question"])}

        return going_through(Asked, ask)

    return build


def chained(resources: Any) -> Any:
    """A prompt, a model and a parser as one runnable, which is the node."""
    prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), ("user", "{question}")])
    chain = prompt | resources.model() | StrOutputParser() | (lambda text: {"found": text.upper()})
    return going_through(Asked, chain)


def chosen(resources: Any) -> Any:
    """A middleware takes the larger model once the conversation is long."""

    @wrap_model_call
    async def choose(request: Any, handler: Any) -> Any:
        larger = len(request.messages) > 2
        return await handler(request.override(model=resources.model("larger")) if larger else request)

    return create_agent(resources.model(), resources.tools, middleware=[choose])


def several_at_once(resources: Any) -> Any:
    async def ask(state: Asked) -> dict[str, Any]:
        model = resources.model()
        texts = await model.abatch([state["question"], "another"])
        streamed = [chunk.text async for chunk in resources.model("second").astream("a third")]
        return {"found": [*(each.text for each in texts), "".join(streamed)]}

    return going_through(Asked, ask)


def system_prompt(resources: Any) -> Any:
    graph = StateGraph(MessagesState)
    graph.add_node("agent", create_agent(resources.model(), resources.tools, system_prompt="Add.", name="adder"))
    return graph.add_edge(START, "agent")


ADDING = [call("add", a=1, b=2), AIMessage("Three.")]
JSON = AIMessage('{"good": true, "score": 7}')

CASES = [
    Case(
        "tool-strategy",
        reacting(response_format=ToolStrategy(Verdict)),
        "?",
        [call("add", a=1, b=1), call("Verdict", good=True, score=7)],
        [add],
        steps=["call_model", "add", "call_model"],
    ),
    Case(
        "tool-strategy-corrected",
        reacting(response_format=ToolStrategy(Verdict)),
        "?",
        WRONG_THEN_RIGHT,
        steps=["call_model"] * 2,
    ),
    Case(
        "tool-strategy-union", reacting(response_format=ToolStrategy(Verdict | Point)), "?", [call("Point", x=1, y=2)]
    ),
    Case(
        "tool-strategy-error",
        reacting(response_format=ToolStrategy(Verdict, handle_errors=False)),
        "?",
        WRONG_THEN_RIGHT,
        fails="StructuredOutputValidationError",
    ),
    Case(
        "provider-strategy",
        reacting(response_format=ProviderStrategy(Verdict)),
        "?",
        [call("add", a=1, b=1), JSON],
        [add],
        steps=["call_model", "add", "call_model"],
    ),
    Case("provider-strategy-without-tools", reacting(response_format=ProviderStrategy(Verdict)), "?", [JSON]),
    Case("strategy-of-its-own-choice", reacting(response_format=Verdict), "?", [call("Verdict", good=False, score=0)]),
    Case(
        "json-schema",
        reacting(
            response_format=ToolStrategy(
                {"title": "Town", "type": "object", "properties": {"name": {"type": "string"}}}
            )
        ),
        "?",
        [call("Town", name="Rome")],
    ),
    Case(
        "structured-by-hand",
        structured_by_hand(include_raw=False),
        {"question": "?", "found": None},
        [call("Point", x=1, y=2)],
    ),
    Case(
        "structured-with-raw",
        structured_by_hand(include_raw=True),
        {"question": "?", "found": None},
        [call("Point", x=1, y=2)],
    ),
    Case("chained", chained, {"question": "why", "found": None}, [AIMessage("because")], steps=["call_model"]),
    Case(
        "chosen-model", chosen, "?", [ADDING[0]], [add], {"larger": [AIMessage("unused"), AIMessage("Three, I think.")]}
    ),
    Case(
        "several-at-once",
        several_at_once,
        {"question": "one", "found": None},
        [AIMessage("yes")],
        models={"second": [AIMessage("a long answer")]},
        steps=["call_model"] * 3,
    ),
    Case("system-prompt", system_prompt, "?", ADDING, [add]),
]
