"""Middleware that does I/O of its own fails the run and says what to do; its tools run as activities."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import FilesystemFileSearchMiddleware, ShellToolMiddleware
from langchain_core.messages import AIMessage

from agents import Agent, Resources
from agents.testing import ScriptedModel, call
from tests.integration.conftest import steps
from tests.integration.test_agent_workflow import failure_of


@pytest.fixture
def folder(tmp_path) -> str:
    (tmp_path / "one.md").write_text("durable")
    return str(tmp_path)


def of_middleware(middleware: Any) -> Agent:
    def build(resources: Resources) -> Any:
        return create_agent(resources.model(), resources.tools, middleware=[middleware])

    return Agent("searcher", build)


@pytest.mark.parametrize(("tool", "pattern"), [("glob_search", "*.md"), ("grep_search", "durable")])
async def test_a_file_search_in_the_workflow_is_refused(bench, folder, tool, pattern) -> None:
    agent = of_middleware(FilesystemFileSearchMiddleware(root_path=folder, use_ripgrep=False))

    error = await failure_of(bench(agent, ScriptedModel(script=[call(tool, pattern=pattern)])), "search")

    assert error.type == "BlockingCall"
    assert "Node 'tools' did os." in error.message
    assert "Move it to a tool, whose body runs in an activity" in error.message


async def test_a_shell_in_the_workflow_is_refused(bench, folder) -> None:
    agent = of_middleware(ShellToolMiddleware(workspace_root=folder))

    error = await failure_of(bench(agent, ScriptedModel(script=[])), "run it")

    assert error.type == "BlockingCall"
    assert "Node 'ShellToolMiddleware.before_agent' did os.mkdir" in error.message


async def test_the_tools_of_a_file_search_run_as_activities(bench, folder) -> None:
    def build(resources: Resources) -> Any:
        return create_agent(resources.model(), resources.tools)

    search = FilesystemFileSearchMiddleware(root_path=folder, use_ripgrep=False)
    agent = Agent("searcher", build, tools=search.tools)
    model = ScriptedModel(script=[call("glob_search", pattern="*.md"), AIMessage("Found.")])

    result, history = await bench(agent, model).run("search")

    assert result["output"] == "Found."
    assert steps(history) == ["call_model", "glob_search", "call_model"]
