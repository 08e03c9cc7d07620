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
By = Annotated[
    list[str] | None,
    typer.Option(
        "--by", metavar="NAME", help="Who decides: a name, then groups; without it, the user of this machine."
    ),
]
Named = Annotated[
    str | None,
    typer.Argument(metavar="QUESTION", help="The question's id, or how it begins, where there are several."),
]
Tenant = Annotated[
    str | None, typer.Option("--tenant", metavar="NAME", help="For which tenant: its memories are apart from others'.")
]
User = Annotated[
    str | None, typer.Option("--user", metavar="NAME", help="For which user: theirs are apart from others', too.")
]
ThreadId = Annotated[str, typer.Argument(metavar="THREAD", help="The conversation's id.")]
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
    tenant: Tenant = None,
    user: User = None,
) -> None:
    """Run an agent and show its steps and its answer. Ctrl-C leaves the run alive."""
    from temporal.cli.run import read_input, run_agent
    from temporal.settings import read_settings

    question = read_input(text, is_json=json_input)
    whose = {"tenant": tenant, "user": user}
    asyncio.run(run_agent(read_settings(), agent, question, run_id=run_id, whose=whose, as_json=as_json, detach=detach))


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


@app.command(epilog='Example: `perdure send research "And in Python?" --thread customer-17`')
def send(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent's name; `perdure agents` lists them.")],
    text: Annotated[str, typer.Argument(metavar="INPUT", help="What to say, or `-` to read it from stdin.")],
    thread: Annotated[
        str | None, typer.Option("--thread", metavar="ID", help="The conversation; without it, a new one.")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option("--policy", help="While a turn runs: enqueue, reject, interrupt, rollback or steer."),
    ] = None,
    json_input: Annotated[bool, typer.Option("--json-input", help="INPUT is JSON that the graph takes.")] = False,
    as_json: AsJson = False,
    detach: Annotated[bool, typer.Option("--detach", help="Send it, print the turn's id, and leave.")] = False,
    turn_id: Annotated[str | None, typer.Option("--id", help="The turn's id: the same twice is one turn.")] = None,
    tenant: Tenant = None,
    user: User = None,
) -> None:
    """Send a turn to a conversation with an agent, which begins with it where there is none, and show the answer."""
    from temporal.cli.run import read_input
    from temporal.cli.thread import read_policy, send_turn
    from temporal.settings import read_settings

    given, chosen = read_input(text, is_json=json_input), read_policy(policy)
    asyncio.run(
        send_turn(
            read_settings(),
            agent,
            given,
            thread_id=thread,
            turn_id=turn_id,
            whose={"tenant": tenant, "user": user},
            policy=chosen,
            as_json=as_json,
            detach=detach,
        )
    )


@app.command(epilog="Example: `perdure chat support`, and tomorrow `perdure chat support --thread support-1f3a9c02`")
def chat(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent's name; `perdure agents` lists them.")],
    thread: Annotated[
        str | None, typer.Option("--thread", metavar="ID", help="The conversation; without it, a new one.")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option("--policy", help="While a turn of others runs: enqueue, reject, interrupt, rollback or steer."),
    ] = None,
    by: By = None,
    tenant: Tenant = None,
    user: User = None,
) -> None:
    """Talk with an agent. What it asks is asked here. Ctrl-C stops the turn, a second one leaves; the thread stays."""
    from temporal.cli.chat import chat as hold
    from temporal.cli.thread import read_policy
    from temporal.settings import read_settings

    chosen = read_policy(policy)
    whose = {"tenant": tenant, "user": user}
    raise typer.Exit(hold(read_settings(), agent, thread_id=thread, whose=whose, policy=chosen, by=by or []))


@app.command(epilog="Example: `perdure turns customer-17`")
def turns(thread: ThreadId, as_json: AsJson = False) -> None:
    """List the turns of a conversation."""
    from temporal.cli.thread import show_turns
    from temporal.settings import read_settings

    asyncio.run(show_turns(read_settings(), thread, as_json=as_json))


@app.command(epilog="Example: `perdure messages customer-17`")
def messages(thread: ThreadId, as_json: AsJson = False) -> None:
    """Show a whole conversation, with what the agent has a summary of by now."""
    from temporal.cli.messages import show_messages
    from temporal.settings import read_settings

    asyncio.run(show_messages(read_settings(), thread, as_json=as_json))


@app.command(epilog="Example: `perdure interrupt customer-17`")
def interrupt(thread: ThreadId) -> None:
    """Stop the turn that runs. What it did stays done, and in the conversation."""
    from temporal.cli.thread import interrupt_turn
    from temporal.settings import read_settings

    asyncio.run(interrupt_turn(read_settings(), thread))


@app.command(epilog="Example: `perdure close customer-17`")
def close(thread: ThreadId) -> None:
    """End a conversation once its turns are over. A later turn goes on with it."""
    from temporal.cli.thread import close_thread
    from temporal.settings import read_settings

    asyncio.run(close_thread(read_settings(), thread))


Checkpoint = Annotated[
    str | None,
    typer.Option("--checkpoint", metavar="ID", help="One of `perdure history`; without it, the newest."),
]


@app.command(epilog="Example: `perdure state research-1f3a9c02 --json`")
def state(run_id: RunId, checkpoint: Checkpoint = None, as_json: AsJson = False) -> None:
    """Show the state of a run, running or finished, as of a checkpoint that it keeps."""
    from temporal.cli.travel import show_state
    from temporal.settings import read_settings

    asyncio.run(show_state(read_settings(), run_id, checkpoint, as_json=as_json))


@app.command(epilog="Example: `perdure history research-1f3a9c02`")
def history(run_id: RunId, as_json: AsJson = False) -> None:
    """Show what each superstep of a run did and cost, and from where it can be forked."""
    from temporal.cli.travel import show_history
    from temporal.settings import read_settings

    asyncio.run(show_history(read_settings(), run_id, as_json=as_json))


@app.command(epilog='Example: `perdure fork research-1f3a9c02 --input "And in short?" --model openai:gpt-5-mini`')
def fork(
    run_id: RunId,
    checkpoint: Checkpoint = None,
    state: Annotated[str | None, typer.Option("--state", metavar="JSON", help="Changes of the state.")] = None,
    as_node: Annotated[
        str | None, typer.Option("--as-node", help="The node that the changes seem to come from: it has run then.")
    ] = None,
    text: Annotated[str | None, typer.Option("--input", help="A new input, on top of the checkpoint.")] = None,
    json_input: Annotated[bool, typer.Option("--json-input", help="The input is JSON that the graph takes.")] = False,
    model: Annotated[str | None, typer.Option("--model", help="In place of all models of the agent.")] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="Another agent with the same state and nodes.")] = None,
    context: Annotated[str | None, typer.Option("--context", metavar="JSON", help="Another context.")] = None,
    fork_id: Annotated[str | None, typer.Option("--id", help="The new run's id.")] = None,
    repeat_effects: Annotated[
        bool, typer.Option("--repeat-effects", help="Do again what tools did after the checkpoint.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Start it, print its id, and leave.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start a run where another one was, with something changed. The other one stays as it is."""
    from temporal.cli.run import read_input
    from temporal.cli.travel import fork_run, read_json
    from temporal.settings import read_settings

    change = {
        "state": read_json(state, "--state"),
        "as_node": as_node,
        "input": None if text is None else read_input(text, is_json=json_input),
        "model": model,
        "agent": agent,
        "context": read_json(context, "--context"),
        "fork_id": fork_id,
    }
    asyncio.run(
        fork_run(
            read_settings(),
            run_id,
            checkpoint,
            change,
            repeat_effects=repeat_effects,
            as_json=as_json,
            detach=detach,
        )
    )


@app.command(epilog="Example: `perdure rewind support-1f3a9c02 --turn 3b9e...`")
def rewind(
    thread_id: Annotated[str, typer.Argument(metavar="THREAD", help="The thread's id.")],
    turn: Annotated[str | None, typer.Option("--turn", metavar="ID", help="Undo this turn and those after it.")] = None,
    checkpoint: Annotated[
        str | None, typer.Option("--checkpoint", metavar="ID", help="Go back to this one, between two turns.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take a thread back to what it was. What its tools did meanwhile stays, and is told. A run is forked instead."""
    from temporal.cli.travel import rewind_thread
    from temporal.settings import read_settings

    asyncio.run(rewind_thread(read_settings(), thread_id, turn, checkpoint, as_json=as_json))


@app.command()
def agents() -> None:
    """List the agents that are installed, with what they do and their tools."""
    from temporal.cli.agents import show_agents

    show_agents()


@app.command()
def inbox(
    decider: Annotated[
        str | None, typer.Option("--for", metavar="NAME", help="Only what this person or group may decide.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the questions alone, as JSON.")] = False,
) -> None:
    """List what waits for people, in all runs: questions, approvals, calls whose outcome nobody knows."""
    from temporal.cli.inbox import show_inbox
    from temporal.settings import read_settings

    asyncio.run(show_inbox(read_settings(), decider=decider, as_json=as_json))


@app.command(epilog="Example: `perdure answer orders-1f3a9c02 '{\"size\": 3}' --by anna`")
def answer(
    run_id: RunId,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[QUESTION] VALUE",
            help="The question's id, or how it begins, where the run asks several; then the answer: JSON, or a text.",
        ),
    ],
    by: By = None,
) -> None:
    """Answer what a run asks."""
    from agents.errors import InvalidInput
    from temporal.cli.inbox import give_answer
    from temporal.settings import read_settings

    if len(words) > 2:  # noqa: PLR2004 -- a question and a value
        raise InvalidInput("Give a question, where the run asks several, and one answer. Quote it: 'it has spaces'.")
    asyncio.run(give_answer(read_settings(), run_id, words, by or []))


@app.command(epilog="Example: `perdure approve orders-1f3a9c02 --similar --by anna`")
def approve(
    run_id: RunId,
    question: Named = None,
    by: By = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Kept with the decision.")] = None,
    similar: Annotated[
        bool, typer.Option("--similar", help="Approve all later calls of the same tool in this run, too.")
    ] = False,
    arguments: Annotated[
        str | None,
        typer.Option("--arguments", metavar="JSON", help="Call the tool with these in place of the model's."),
    ] = None,
) -> None:
    """Let a run carry out the call of a tool that it asks about."""
    from temporal.cli.inbox import judge, read_arguments
    from temporal.settings import read_settings

    more = {"similar": similar or None, "arguments": read_arguments(arguments)}
    asyncio.run(judge(read_settings(), run_id, question, approve=True, reason=reason, by=by or [], **more))


@app.command(epilog='Example: `perdure reject orders-1f3a9c02 --reason "too dear"`')
def reject(
    run_id: RunId,
    question: Named = None,
    by: By = None,
    reason: Annotated[str | None, typer.Option("--reason", help="The model is told.")] = None,
) -> None:
    """Forbid the call of a tool that a run asks about. The run goes on, and its model is told."""
    from temporal.cli.inbox import judge
    from temporal.settings import read_settings

    asyncio.run(judge(read_settings(), run_id, question, approve=False, reason=reason, by=by or []))


@app.command(epilog="Example: `perdure check orders`, or `perdure check orders:agent`, which need not be installed")
def check(
    agents: Annotated[
        list[str] | None,
        typer.Argument(metavar="AGENT", help="Names, or `module:attribute`; without any, all that are installed."),
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
            metavar="FOLDER", help="Documents to read; without it, the documentation of installed packages."
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
    """Work on runs until Ctrl-C or SIGTERM. Start as many as you like, on as many machines.

    Steps under way have PERDURE_WORKER__SHUTDOWN_SECONDS to end; a second Ctrl-C does not wait for them.
    """
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
        str | None, typer.Argument(metavar="QUESTION", help="What to ask of the installed documentation.")
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
