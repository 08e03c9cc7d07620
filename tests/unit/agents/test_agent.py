"""What an agent must be before it may run."""

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from agents import Agent, LiveResources, Registry
from agents.errors import UnknownAgent, UnknownTool
from agents.testing import ScriptedModel


@tool
def ping() -> str:
    """Answer."""
    return "pong"


def build(_resources):
    raise NotImplementedError


@pytest.mark.parametrize("name", ["", "Orders", "9lives", "two words", "x" * 64, "a/b"])
def test_a_name_that_could_not_be_part_of_an_id_is_refused(name) -> None:
    with pytest.raises(ValueError, match="An agent can't be named"):
        Agent(name, build)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"checkpoints": 0}, "must keep a checkpoint, at least"),
        ({"durability": "async"}, "`durability` is 'exit' or 'sync', and not 'async'"),
    ],
)
def test_checkpoints_that_no_run_could_keep_are_refused(options, words) -> None:
    with pytest.raises(ValueError, match=words):
        Agent("orders", build, **options)


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Agent 'orders' has two tools of one name: \['ping'\]"):
        Agent("orders", build, tools=[ping, ping])


@pytest.mark.parametrize("name", ["call_model", "retrieve", "ingest_documents"])
def test_a_tool_named_as_an_activity_of_perdure_is_refused(name) -> None:
    taken = ping.model_copy(update={"name": name})

    with pytest.raises(ValueError, match=f"A tool can't be named '{name}'"):
        Agent("orders", build, tools=[taken])


def test_an_unknown_tool_is_named_with_those_that_there_are() -> None:
    with pytest.raises(UnknownTool, match=r"Agent 'orders' has no tool 'pong'. Known: 'ping'\."):
        Agent("orders", build, tools=[ping]).tool("pong")


def test_an_unknown_agent_is_named_with_those_that_there_are() -> None:
    registry = Registry.of([Agent("orders", build), Agent("news", build)])

    with pytest.raises(UnknownAgent, match=r"Unknown agent 'ordrs'. Known: 'news', 'orders'\."):
        registry["ordrs"]


def test_two_agents_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="Two agents are named 'orders'"):
        Registry.of([Agent("orders", build), Agent("orders", build)])


def test_the_research_agent_is_installed() -> None:
    assert Registry.installed()["research"].name == "research"


def test_live_resources_without_a_retriever_say_what_is_missing() -> None:
    resources = LiveResources(chat_model=lambda _name: ScriptedModel(script=[AIMessage("x")]))

    with pytest.raises(LookupError, match="No retriever was given for collection 'docs': pass `search=`"):
        resources.retriever("docs")
