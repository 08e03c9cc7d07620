"""A chat: a run whose graph asks for what comes next, and answers it, turn by turn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import BaseTool, tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from temporalio.client import WorkflowHandle

from agents import Agent, Resources
from agents.testing import call

BYE = "bye"
RULES = "You look numbers up. " * 10


@tool
def look_up(number: int) -> str:
    """Look a number up."""
    return f"{number:05}" * 100


def _build(resources: Resources) -> Any:
    def listen(_state: MessagesState) -> dict[str, Any]:
        return {"messages": [HumanMessage(interrupt("What next?"))]}

    graph = StateGraph(MessagesState)
    graph.add_node("listen", listen)
    graph.add_node("answer", create_agent(resources.model(), resources.tools, system_prompt=RULES))
    graph.add_node("part", lambda state: {"messages": [state["messages"][-2].model_copy(update={"id": "last"})]})
    graph.add_edge(START, "listen")
    graph.add_conditional_edges("listen", lambda state: "part" if state["messages"][-1].text == BYE else "answer")
    graph.add_edge("answer", "listen")
    return graph


def chatting(*tools: BaseTool, name: str = "chat") -> Agent:
    return Agent(name, _build, tools=tools, recursion_limit=100_000)


class Looking(BaseChatModel):
    """Looks every question up by the tool, then answers with the characters of all that it was given."""

    @property
    def _llm_type(self) -> str:
        return "looking"

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        return self.bind(tools=tools, **options)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: Any = None,  # noqa: ARG002 -- the base's signature
        run_manager: Any = None,  # noqa: ARG002 -- the base's signature
        **options: Any,
    ) -> ChatResult:
        turns = sum(isinstance(message, HumanMessage) for message in messages)
        asked = options.get("tools") and isinstance(messages[-1], HumanMessage)
        answer = (
            call("look_up", f"call-{turns}", number=turns)
            if asked
            else AIMessage(characters([message.text for message in messages]))
        )
        return ChatResult(generations=[ChatGeneration(message=answer)])


def characters(texts: list[str]) -> str:
    return f"{sum(map(len, texts)):,} characters in {len(texts)} messages"


class Talk:
    """The other side of a chat."""

    def __init__(self, handle: WorkflowHandle[Any, Any]) -> None:
        self._handle = handle
        self._heard = ""

    async def say(self, text: str) -> None:
        """Answers the next question, whichever execution asks it."""
        while not (asked := await self._asked()):
            pass
        self._heard = asked
        await self._handle.execute_update("answer", args=[asked, text])

    async def wait(self) -> None:
        """Until the run asks again."""
        while not await self._asked():
            pass

    async def _asked(self) -> str:
        questions = await self._handle.query("questions")
        return next((each["id"] for each in questions if each["id"] != self._heard), "")


def texts(turns: int, size: int) -> Iterator[str]:
    """What is said, no two texts alike."""
    return (f"{turn:06} ".ljust(size, "x") for turn in range(turns))
