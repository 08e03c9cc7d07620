"""The research agent in plain LangGraph, without a server."""

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from agents import Registry
from agents.extractive import ExtractiveModel
from agents.research import agent
from agents.testing import ScriptedModel, call, run_live

TIMERS = Document(
    id="a3f9c2d4-0000-5000-8000-000000000000",
    page_content="A timer is durable. It survives a restart of the worker.",
    metadata={"document": "temporalio 1.35.0", "section": "Timers", "start": 100},
)


def test_it_is_among_the_installed_agents() -> None:
    assert Registry.installed()["research"] is agent


async def test_an_answer_is_cited_by_document_section_and_span() -> None:
    model = ScriptedModel(script=[call("search", query="timer"), AIMessage("Timers are durable. [a3f9c2]")])

    state = await run_live(agent, "Do timers survive?", model=model, documents=[TIMERS])

    [citation] = state["citations"]
    assert state["messages"][-1].text == "Timers are durable. [1]"
    assert (citation.document, citation.section, citation.start) == ("temporalio 1.35.0", "Timers", 100)


async def test_the_passages_come_with_the_tool_message() -> None:
    model = ScriptedModel(script=[call("search", query="timer"), AIMessage("So. [a3f9c2]")])

    state = await run_live(agent, "Do timers survive?", model=model, documents=[TIMERS])

    [message] = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    assert message.artifact == [TIMERS]
    assert message.text.startswith("[a3f9c2] temporalio 1.35.0 — Timers\n")


async def test_a_search_that_finds_nothing_says_what_to_do() -> None:
    model = ScriptedModel(script=[call("search", query="timer"), AIMessage("I don't know.")])

    state = await run_live(agent, "Do timers survive?", model=model)

    assert state["messages"][-2].text == "No passage was found. Search again with other words."
    assert state["citations"] == []


async def test_the_answer_is_there_once() -> None:
    model = ScriptedModel(script=[call("search", query="timer"), AIMessage("Timers are durable. [a3f9c2]")])

    state = await run_live(agent, "Do timers survive?", model=model, documents=[TIMERS])

    assert [type(message) for message in state["messages"]] == [HumanMessage, AIMessage, ToolMessage, AIMessage]


@pytest.mark.parametrize(
    ("question", "last_line", "citations"),
    [
        ("Is a timer durable?", "A timer is durable. [1]", 1),
        ("What is the capital of France?", "nothing in them matches this question.", 0),
    ],
)
async def test_it_works_without_a_language_model(question: str, last_line: str, citations: int) -> None:
    state = await run_live(agent, question, model=ExtractiveModel(), documents=[TIMERS])

    assert state["messages"][-1].text.endswith(last_line)
    assert len(state["citations"]) == citations
