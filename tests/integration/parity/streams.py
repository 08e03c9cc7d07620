"""What nodes stream themselves: models, chains and graphs inside a node."""

import operator
from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGenerationChunk
from langgraph.graph import MessagesState

from agents.testing import ScriptedModel
from tests.integration.parity.case import Case
from tests.integration.parity.graphs import going_through


class InOnePiece(ScriptedModel):
    """Streams its answer whole, as a model in a workflow does."""

    def _stream(self, messages: list[BaseMessage], *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        given = {name: value for name, value in self._answer(messages) if name != "type"}
        yield ChatGenerationChunk(message=AIMessageChunk(**given, chunk_position="last"))


class Heard(TypedDict):
    heard: Annotated[list[Any], operator.add]


def hearing(listen: Callable[[Any, Any], Awaitable[list[Any]]]) -> Any:
    """A node that keeps what `listen` hears, before a step and after it."""

    def build(resources: Any) -> Any:
        async def node(_state: Heard) -> dict[str, Any]:
            heard = await listen(resources, resources.model("whole"))
            return {"heard": [heard, (await resources.model().ainvoke("And?")).text]}

        return going_through(Heard, node)

    return build


async def left_early(_resources: Any, model: Any) -> list[Any]:
    """Streams that nobody hears to their end: what goes on behind them is cancelled."""
    heard: list[Any] = []

    async def say(state: MessagesState) -> dict[str, Any]:
        try:
            return {"messages": [await model.ainvoke(state["messages"])]}
        finally:
            heard.append("model ended")

    graph = going_through(MessagesState, lambda _state: {"messages": ["Go on."]}, say).compile()
    async for update in graph.astream({"messages": ["Hello."]}, stream_mode="updates"):
        heard.append(sorted(update))
        break
    async for piece in (model | StrOutputParser()).astream("Add."):
        heard.append(piece)
        break
    return heard


def listening(name: str, listen: Any, script: list[AIMessage]) -> Case:
    models = {"whole": InOnePiece(script=script)}
    return Case(name, hearing(listen), {"heard": []}, [AIMessage("Nothing.")], models=models)


CASES = [
    listening("left-streams", left_early, [AIMessage("one"), AIMessage("two"), AIMessage("three")]),
]
