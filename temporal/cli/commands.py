"""The commands of `perdure`. Each loads what it needs when it is called, so that `--help` comes at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from temporal.cli.errors import Commands

app = typer.Typer(
    name="perdure",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Durable LangGraph agents on Temporal. Begin with `perdure demo`.",
    epilog="Settings are variables, `PERDURE_…` and `TEMPORAL_…`, or lines of `.env`. `perdure doctor` prints them.",
)

storage = typer.Typer(cls=Commands, no_args_is_help=True, help="The storage of large payloads.")
app.add_typer(storage, name="storage")

AsJson = Annotated[bool, typer.Option("--json", help="Print the result alone, as JSON.")]
RunId = Annotated[str, typer.Argument(metavar="ID", help="The run's id, as `perdure run` printed it.")]


def _print_version(wanted: bool) -> None:  # noqa: FBT001 -- typer's callback
    if wanted:
        from temporal.cli.doctor import version_line

        typer.echo(version_line())
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command(epilog='Example: `perdure run research "How are timers made durable?"`')
def run(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent's name; `perdure agents` lists them.")],
    text: Annotated[str, typer.Argument(metavar="INPUT", help="A question, or `-` to read it from stdin.")],
    json_input: Annotated[bool, typer.Option("--json-input", help="INPUT is JSON that the graph takes.")] = False,
    as_json: AsJson = False,
    detach: Annotated[bool, typer.Option("--detach", help="Start it, print its id, and leave.")] = False,
    run_id: Annotated[str | None, typer.Option("--id", help="The run's id. Used once, it is refused again.")] = None,
) -> None:
    """Run an agent and show its steps and its answer. Ctrl-C leaves the run alive."""
    from temporal.cli.run import read_input, run_agent
    from temporal.settings import read_settings

    question = read_input(text, is_json=json_input)
    asyncio.run(run_agent(read_settings(), agent, question, run_id=run_id, as_json=as_json, detach=detach))


@app.command(epilog="Example: `perdure result research-1f3a9c02 --json`")
def result(run_id: RunId, as_json: AsJson = False) -> None:
    """Show the steps and the answer of a run, and wait for it where it is still at work."""
    from temporal.cli.run import show_result
    from temporal.settings import read_settings

    asyncio.run(show_result(read_settings(), run_id, as_json=as_json))


@app.command(epilog="Example: `perdure watch research-1f3a9c02 --mode messages --mode updates --json`")
def watch(
    run_id: RunId,
    after: Annotated[str | None, typer.Option("--after", metavar="EVENT", help="Id of the last event seen.")] = None,
    mode: Annotated[
        list[str] | None,
        typer.Option("--mode", help="values, updates, messages, custom, tasks, debug, steps. All without it."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as a line of JSON.")] = False,
) -> None:
    """Show what a run does as it does it, from its beginning or from the state it has. Ctrl-C leaves the run alive."""
    from temporal.cli.watch import watch_run
    from temporal.settings import read_settings

    asyncio.run(watch_run(read_settings(), run_id, after=after, modes=mode or [], as_json=as_json))


@app.command()
def agents() -> None:
    """List the agents that are installed, with what they do and their tools."""
    from temporal.cli.agents import show_agents

    show_agents()


@app.command(epilog="Example: `perdure check orders`, or `perdure check orders:agent`, which need not be installed")
def check(
    agents: Annotated[
        list[str] | None,
        typer.Argument(metavar="[AGENT]...", help="Names, or `module:attribute`; without any, all that are installed."),
    ] = None,
    text: Annotated[str | None, typer.Option("--input", help="What to ask, in place of a made-up input.")] = None,
    json_input: Annotated[bool, typer.Option("--json-input", help="The input is JSON that the graph takes.")] = False,
    script: Annotated[
        Path | None, typer.Option("--script", metavar="FILE", help="JSON: what the model, tools and people answer.")
    ] = None,
    run_tools: Annotated[bool, typer.Option("--run-tools", help="Carry out what tools and activities do.")] = False,
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Seconds that a run may take.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the reports alone, as JSON.")] = False,
) -> None:
    """Run agents with a made-up model, replay them, and name the nodes that can't be replayed, before you deploy.

    It starts a server of its own, and carries out no tool. Exit code 1 where something was found.
    """
    from temporal.cli.check import check_agents, read_script
    from temporal.cli.run import read_input

    given = None if text is None else read_input(text, is_json=json_input)
    answers = read_script(script) if script else None
    if not asyncio.run(
        check_agents(agents or [], given, answers, run_tools=run_tools, patience=timeout, as_json=as_json)
    ):
        raise typer.Exit(1)


@app.command(epilog="Example: `perdure ingest ./handbook --collection handbook`")
def ingest(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FOLDER]", help="Documents to read; without it, the documentation of installed packages."
        ),
    ] = None,
    collection: Annotated[str, typer.Option("--collection", help="The collection to fill.")] = "docs",
    as_json: AsJson = False,
) -> None:
    """Fill a collection with documents that agents can search. Doing it again writes only what has changed."""
    from temporal.cli.run import ingest as ingest_folder
    from temporal.cli.run import read_folder
    from temporal.settings import read_settings

    read = read_folder(folder) if folder else None
    asyncio.run(ingest_folder(read_settings(), read, collection=collection, as_json=as_json))


@app.command()
def worker() -> None:
    """Work on runs until Ctrl-C or SIGTERM. Start as many as you like, on as many machines."""
    from temporal.cli.worker import work
    from temporal.settings import read_settings

    work(read_settings())


@app.command()
def dev() -> None:
    """Start Temporal, Weaviate and a worker on this machine, and stay until Ctrl-C."""
    from temporal.cli.stack import run_dev
    from temporal.settings import read_settings

    run_dev(read_settings())


@app.command(epilog='Example: `perdure demo --crash "How do I set a timer in a workflow?"`')
def demo(
    question: Annotated[
        str | None, typer.Argument(metavar="[QUESTION]", help="What to ask of the installed documentation.")
    ] = None,
    crash: Annotated[bool, typer.Option("--crash", help="Kill the worker in the middle, with kill -9.")] = False,
) -> None:
    """Start everything, ask the research agent a question, show its answer, and stop everything."""
    from temporal.cli.demo import run_demo
    from temporal.settings import read_settings

    run_demo(read_settings(), question, crash=crash)


@app.command()
def doctor() -> None:
    """Check what Perdure needs and print the settings. Exit code 1 where something needed is missing."""
    from temporal.cli.doctor import examine

    if not asyncio.run(examine()):
        raise typer.Exit(1)


@storage.command()
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    closed_for: Annotated[
        str | None,
        typer.Option("--closed-for", metavar="AGE", help="Also those of runs that ended so long ago: 30d, 12h."),
    ] = None,
    fresh: Annotated[
        str, typer.Option("--fresh", metavar="AGE", help="Leave what was written within this time.")
    ] = "24h",
    force: Annotated[bool, typer.Option("--force", help="Even where the server knows none of the runs.")] = False,
) -> None:
    """Remove the large payloads of runs that the server no longer knows. Runs that are at work keep theirs."""
    from temporal.cli.storage import collect_garbage, read_age
    from temporal.settings import read_settings

    ended = read_age(closed_for) if closed_for else None
    age = read_age(fresh)
    asyncio.run(collect_garbage(read_settings(), dry_run=dry_run, closed_for=ended, fresh=age, force=force))


@storage.command("usage")
def storage_usage() -> None:
    """Say how much is kept."""
    from temporal.cli.storage import show_usage
    from temporal.settings import read_settings

    asyncio.run(show_usage(read_settings()))


@app.command()
def version() -> None:
    """Print the version of Perdure and of what it stands on."""
    _print_version(wanted=True)
