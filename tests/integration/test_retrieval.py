"""Searching collections, and answering from them, on the documentation that is installed here."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from temporalio.client import Client

from activities import sources
from activities.sources import InstalledDocumentation
from activities.weaviate import WeaviateConnection
from agents import LiveResources
from agents.errors import CollectionMismatch, ProviderRefused, ServiceUnavailable, UnknownCollection
from agents.extractive import ExtractiveModel
from agents.research import agent
from temporal.dev.stack import Stack
from tests.integration.documents import INSTALLED, Library, OtherEmbedder, connection, fresh_name, open_library

QUESTIONS = {
    "How do I set a timer in a Temporal workflow?": "temporalio",
    "How do I continue a workflow as new?": "temporalio",
    "Where does LangGraph save its checkpoints?": "langgraph-checkpoint",
    "How do I log structured events in production?": "structlog",
    "How do I connect to a Weaviate instance from Python?": "weaviate-client",
    "How do I split long documents into chunks?": "langchain-text-splitters",
    "How do I print tables and colours in the terminal?": "rich",
    "How do I build a command line app from type hints?": "typer",
    "How do I validate data with type hints?": "pydantic",
    "How do I retry a function call until it succeeds?": "tenacity",
    "How do I encode internationalized domain names?": "idna",
    "Which library speaks HTTP/1.1 without doing any I/O?": "h11",
    "How do I apply a JSON patch?": "jsonpatch",
    "How do I write a WebSocket server?": "websockets",
    "How do I run structured concurrency on asyncio or trio?": "anyio",
    "Which HTTP client supports both sync and async requests?": "httpx",
    "How do I stop a test that hangs, after a timeout?": "pytest-timeout",
    "How do I enforce layers between Python modules?": "import-linter",
}


@pytest.fixture(scope="module")
async def library(stack: Stack, client: Client) -> AsyncIterator[Library]:
    """With the collection `docs`: the installed documentation."""
    async with open_library(stack, client) as opened:
        await opened.ingest("docs", INSTALLED)
        yield opened


async def test_the_right_document_is_among_the_first_five(library: Library) -> None:
    ranks = []
    for question, distribution in QUESTIONS.items():
        found = await library.search("docs", question, limit=5)
        names = [document.metadata["document"].partition(" ")[0] for document in found]
        ranks.append(names.index(distribution) if distribution in names else None)

    hits = [rank for rank in ranks if rank is not None]
    assert len(hits) / len(ranks) >= 0.8
    assert sum(rank == 0 for rank in hits) / len(ranks) >= 0.6


async def test_a_word_is_found_as_soon_as_it_was_written(library: Library, tmp_path: Path) -> None:
    name = fresh_name()
    for number in range(30):
        (tmp_path / f"{number}.md").write_text(f"# Insect {number}\n\nThe leafhopper of kind{number} is green.\n")
    await library.ingest(name, {"kind": "folder", "path": str(tmp_path)})

    firsts = [(await library.search(name, f"kind{number}", limit=1))[0] for number in range(30)]

    assert [first.metadata["document"] for first in firsts] == [f"{number}.md" for number in range(30)]


async def test_each_passage_is_the_span_that_it_says_it_is(library: Library) -> None:
    found = [passage for question in QUESTIONS for passage in await library.search("docs", question)]

    read = {name: sources.read(InstalledDocumentation(), name)[0].text for name in {_document(each) for each in found}}
    assert all(
        read[_document(each)][each.metadata["start"] : each.metadata["end"]] == each.page_content for each in found
    )


def _document(passage) -> str:
    return passage.metadata["document"]


async def test_there_are_no_more_passages_than_asked_for(library: Library) -> None:
    assert len(await library.search("docs", "workflow", limit=3)) <= 3


async def test_an_empty_query_finds_nothing(library: Library) -> None:
    assert await library.search("docs", "  ") == []


async def test_the_live_retriever_finds_what_the_activity_finds(library: Library) -> None:
    live = await library.retriever("docs", limit=4).ainvoke("durable timer")

    assert live == await library.search("docs", "durable timer", limit=4)


async def test_an_unknown_collection_is_named_with_those_there_are(library: Library) -> None:
    with pytest.raises(UnknownCollection, match=r"Unknown collection 'dcos'\. Known: 'docs'.* `perdure ingest`"):
        await library.search("dcos", "timer")


async def test_a_collection_of_another_embedding_model_is_not_searched(library: Library) -> None:
    with pytest.raises(CollectionMismatch, match="'other-2-v1'"):
        await library.with_embedder(OtherEmbedder()).search("docs", "timer")


async def test_a_weaviate_that_is_away_is_named() -> None:
    away = WeaviateConnection(url="http://127.0.0.1:1", grpc_host="127.0.0.1", grpc_port=2)

    async with away.open() as weaviate:
        with pytest.raises(ServiceUnavailable, match=r"http://127\.0\.0\.1:1"):
            await weaviate.names()


async def test_a_wrong_key_is_refused_with_the_remedy(stack: Stack) -> None:
    right = connection(stack)
    wrong = WeaviateConnection(right.url, right.grpc_host, right.grpc_port, SecretStr("wrong"))

    async with wrong.open() as weaviate:
        with pytest.raises(ProviderRefused, match="PERDURE_WEAVIATE__API_KEY"):
            await weaviate.names()


async def test_the_research_agent_answers_from_the_documents(library: Library) -> None:
    resources = LiveResources(chat_model=lambda _name: ExtractiveModel(), search=library.retriever)
    graph = agent.build(resources).compile()

    state = await graph.ainvoke({"messages": [("user", "How do I set a timer in a Temporal workflow?")]})

    first = state["citations"][0]
    assert "asyncio.sleep()" in state["messages"][-1].text
    assert first.document.startswith("temporalio ")
    assert first.section.endswith("Timers")
    assert first.quote in sources.read(InstalledDocumentation(), first.document)[0].text[first.start : first.end]


async def test_the_research_agent_answers_in_a_workflow_as_in_plain_langgraph(library: Library, bench) -> None:
    question = "How do I set a timer in a Temporal workflow?"
    made = bench(agent, ExtractiveModel(), activities=[library.retrieval.retrieve])

    result, _ = await made.run(question)

    resources = LiveResources(chat_model=lambda _name: ExtractiveModel(), search=library.retriever)
    state = await agent.build(resources).compile().ainvoke({"messages": [("user", question)]})
    assert result["output"] == state["messages"][-1].text
    assert result["citations"] == [citation.model_dump() for citation in state["citations"]]
