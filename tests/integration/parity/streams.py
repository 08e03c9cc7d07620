"""What nodes stream and hear themselves: models, chains and graphs inside a node, and callbacks of the author's own."""

import operator
from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Any, TypedDict

from langchain.agents import create_agent
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler, UsageMetadataCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableConfig
from langgraph.graph import MessagesState

from agents.testing import ScriptedModel, call
from tests.integration.cases import add
from tests.integration.parity.case import Case
from tests.integration.parity.graphs import going_through


class InOnePiece(ScriptedModel):
    """Streams its answer whole, as a model in a workflow does."""

    def _stream(self, messages: list[BaseMessage], *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        given = {name: value for name, value in self._answer(messages) if name != "type"}
        yield ChatGenerationChunk(message=AIMessageChunk(**given, chunk_position="last"))


class Heard(TypedDict):
    heard: Annotated[list[Any], operator.add]


CONVERSATION = {"messages": [("user", "Add.")]}


def hearing(listen: Callable[[Any, Any], Awaitable[list[Any]]]) -> Any:
    """A node that keeps what `listen` hears, before a step and after it."""

    def build(resources: Any) -> Any:
        async def node(_state: Heard) -> dict[str, Any]:
            heard = await listen(resources, resources.model("whole"))
            return {"heard": [heard, (await resources.model().ainvoke("And?")).text]}

        return going_through(Heard, node)

    return build


async def in_pieces(resources: Any, model: Any) -> list[Any]:
    """A model, a chain, and the messages of an agent."""
    bound, agent = model.bind_tools(resources.tools), create_agent(model, resources.tools)
    return [
        [piece async for piece in bound.astream("Add.")],
        [piece async for piece in (model | StrOutputParser()).astream("Add.")],
        [
            (message, meta["langgraph_node"])
            async for message, meta in agent.astream(CONVERSATION, stream_mode="messages")
        ],
    ]


async def in_events(resources: Any, model: Any) -> list[Any]:
    """All that LangChain tells of an agent, and of a chain that asks a model with tags."""
    chain = ChatPromptTemplate.from_template("{q}?") | model.with_config(tags=["mine"]) | StrOutputParser()
    agent = create_agent(model, resources.tools)
    return [
        (event["event"], sorted(event["tags"]), len(event["parent_ids"]), event["data"].get("chunk"))
        for told in (agent.astream_events(CONVERSATION, version="v2"), chain.astream_events({"q": "Add"}, version="v2"))
        async for event in told
    ]


async def by_callbacks(resources: Any, model: Any) -> list[Any]:
    """Synchronous and asynchronous handlers, and what a model has used."""
    heard: list[Any] = []

    def note(name: str, run: Any, told: dict[str, Any]) -> None:
        heard.append((name, type(run).__name__, sorted(told.get("tags") or ()), sorted(told.get("metadata") or ())))

    class Handler(BaseCallbackHandler):
        def on_chain_start(self, _serialized: Any, given: Any, **told: Any) -> None:
            note("chain starts", given, told)

        def on_chat_model_start(self, _serialized: Any, messages: Any, **told: Any) -> None:
            note("model starts", messages, told | {"metadata": ()})

        def on_llm_new_token(self, token: str, **_told: Any) -> None:
            heard.append(token)

    class AsyncHandler(AsyncCallbackHandler):
        async def on_llm_end(self, response: Any, **told: Any) -> None:
            note("model ends", response.generations[0][0].message, told)

        async def on_chain_end(self, given: Any, **told: Any) -> None:
            note("chain ends", given, told)

        async def on_tool_end(self, given: Any, **told: Any) -> None:
            note("tool ends", given, told)

    used = UsageMetadataCallbackHandler()
    config: RunnableConfig = {"callbacks": [Handler(), AsyncHandler(), used], "tags": ["x"], "metadata": {"m": 1}}
    await create_agent(model, resources.tools).ainvoke(CONVERSATION, config)
    return [heard, [piece async for piece in (model | StrOutputParser()).astream("Add.", config)], used.usage_metadata]


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


SCRIPT = [call("add", a=1, b=2), AIMessage("It is three.")]
SCRIPT[1].usage_metadata = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
SCRIPT[1].response_metadata = {"model_name": "scripted", "finish_reason": "stop"}


def listening(name: str, listen: Any, script: list[AIMessage] = SCRIPT, **options: Any) -> Case:
    models = {"whole": InOnePiece(script=script)}
    return Case(name, hearing(listen), {"heard": []}, [AIMessage("Nothing.")], [add], models, **options)


CASES = [
    listening("streamed-in-a-node", in_pieces),
    listening("events-in-a-node", in_events),
    listening("callbacks-in-a-node", by_callbacks),
    listening("left-streams", left_early, [AIMessage("one"), AIMessage("two"), AIMessage("three")]),
]
