"""The command line where no server is called: its words, its exit codes, what it shows."""

import io
import json
import os
from pathlib import Path

import pytest
from rich.console import Console
from rich.live import Live
from typer.testing import CliRunner, Result

from agents.citation import Citation
from temporal.cli.commands import app
from temporal.cli.display import Alive, Lines, describe, duration, show_answer
from temporal.steps import Step
from workflows.contracts import AgentResult, Usage

COMMANDS = [
    "chat",
    "check",
    "close",
    "fork",
    "history",
    "interrupt",
    "messages",
    "rewind",
    "send",
    "state",
    "turns",
    "watch",
    "run",
    "result",
    "inbox",
    "answer",
    "approve",
    "reject",
    "agents",
    "ingest",
    "worker",
    "dev",
    "demo",
    "doctor",
    "version",
]
NOBODY = "127.0.0.1:9"


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of the caller's, no `.env`, no stack; and an address where nobody answers."""
    for name in list(os.environ):
        if name.startswith(("PERDURE_", "TEMPORAL_")) or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TEMPORAL_ADDRESS", NOBODY)
    monkeypatch.setenv("PERDURE_WEAVIATE__URL", f"http://{NOBODY}")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


def perdure(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=given)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_a_help_page(command):
    result = perdure(command, "--help")

    assert (result.exit_code, "Usage:" in result.stdout, "[[" in result.stdout) == (0, True, False)


def test_a_line_of_a_live_display_is_not_broken_so_that_it_can_be_copied():
    written = io.StringIO()
    command = f"temporal workflow start {'--option value ' * 20}"

    Alive(Live(console=Console(file=written, force_terminal=True, width=40))).note(command)

    assert command in written.getvalue()


def test_without_a_command_the_commands_are_listed():
    result = perdure()

    assert all(command in result.output for command in COMMANDS)


def test_the_version_is_printed():
    assert perdure("--version").stdout.startswith("perdure ")
    assert perdure("version").stdout == perdure("--version").stdout


def test_an_unknown_command_is_the_callers_mistake():
    result = perdure("frobnicate")

    assert (result.exit_code, "No such command 'frobnicate'" in result.stderr) == (2, True)


def test_a_server_that_is_not_there_is_told_with_what_to_do():
    result = perdure("run", "research", "What is a task queue?")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"No Temporal server answers at {NOBODY} (TEMPORAL_ADDRESS): connection refused. "
        "Start one with `perdure dev`, or name another with TEMPORAL_ADDRESS.\n"
    )


def test_an_input_that_is_no_json_is_told_by_its_place():
    result = perdure("run", "research", "{question", "--json-input")

    assert (result.exit_code, result.stderr.startswith("The input is no JSON:")) == (2, True)
    assert "line 1 column 2" in result.stderr


def test_an_input_can_be_piped_in():
    result = perdure("run", "research", "-", "--json-input", given="{question")

    assert (result.exit_code, "line 1 column 2" in result.stderr) == (2, True)


def test_a_folder_that_is_not_there_is_told_by_name():
    result = perdure("ingest", "handbook")

    assert (result.exit_code, "There is no folder 'handbook'." in result.stderr) == (2, True)


def test_a_collection_with_a_name_that_is_off_is_refused():
    result = perdure("ingest", "--collection", "9 lives")

    assert (result.exit_code, "collection:" in result.stderr) == (2, True)


def test_an_unknown_setting_is_told_by_name(monkeypatch):
    monkeypatch.setenv("PERDURE_MODLE", "extractive")

    result = perdure("run", "research", "x")

    assert (result.exit_code, result.stderr) == (2, "Unknown setting PERDURE_MODLE. Did you mean PERDURE_MODEL?\n")


def test_the_doctor_works_where_nothing_runs_and_says_what_to_do():
    result = perdure("doctor")

    assert result.exit_code == 1
    assert f"No Temporal server answers at {NOBODY}" in result.stdout
    assert "Start one with `perdure dev`." in result.stdout


def test_the_doctor_masks_secrets(monkeypatch):
    monkeypatch.setenv("PERDURE_WEAVIATE__API_KEY", "hunter2")

    result = perdure("doctor")

    assert ("hunter2" in result.output, "***" in result.stdout) == (False, True)


def test_the_doctor_tells_a_model_whose_key_is_missing(monkeypatch):
    monkeypatch.setenv("PERDURE_MODEL", "openai:gpt-5-mini")

    result = perdure("doctor")

    assert "OPENAI_API_KEY is not set" in result.stdout


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (Step("1", "call_model", "scheduled", "extractive"), "→ call_model · extractive"),
        (Step("1", "call_model", "completed", "extractive", seconds=0.012), "✓ call_model · extractive  12 ms"),
        (
            Step("2", "add", "retrying", "a=1", attempt=2, error="OSError: busy"),
            "↻ add · a=1  attempt 2  OSError: busy",
        ),
        (Step("2", "add", "failed", seconds=3.21, error="KeyError: 'a'"), "✗ add  3.2 s  KeyError: 'a'"),
    ],
)
def test_a_step_is_a_line(step, line):
    assert describe(step).plain == line


@pytest.mark.parametrize(("seconds", "shown"), [(0.0004, "0 ms"), (0.9, "900 ms"), (1, "1.0 s"), (83.24, "83.2 s")])
def test_a_duration_is_short(seconds, shown):
    assert duration(seconds) == shown


def test_a_status_is_shown_once_in_a_log():
    stream = io.StringIO()
    display = Lines(Console(file=stream))

    for text in ["1 of 9", "1 of 9", "", "2 of 9"]:
        display.status(text)

    assert stream.getvalue() == "1 of 9\n2 of 9\n"


def test_brackets_in_a_line_are_no_markup():
    stream = io.StringIO()

    Lines(Console(file=stream)).note("[red]not a colour[/red]")

    assert stream.getvalue() == "[red]not a colour[/red]\n"


def test_an_answer_ends_with_its_citations_its_cost_and_its_link(capsys):
    result = AgentResult(
        agent="research",
        output="Timers are durable. [1]",
        citations=[Citation(marker=1, document="temporalio", section="Timers", quote="A timer\nis durable.")],
        usage=Usage(model_calls=2, retrievals=1, input_tokens=1200, output_tokens=34),
    )

    show_answer(result, "http://ui/run")

    assert capsys.readouterr().out == (
        "\nTimers are durable. [1]\n\n"
        "Citations\n[1] temporalio › Timers: “A timer is durable.”\n\n"  # noqa: RUF001 -- as it is shown
        "Cost: 2 model calls, 1 retrieval, 1,200 input and 34 output tokens\n"
        "Web UI: http://ui/run\n"
    )


def test_an_answer_that_is_no_text_is_shown_as_json(capsys):
    show_answer(AgentResult(agent="orders", output={"total": 3}), None)

    assert json.loads(capsys.readouterr().out.split("\nCost")[0]) == {"total": 3}
