"""What the command line shows: steps as they happen, the answer, its citations, its cost.

Progress goes to stderr, results to stdout. In a terminal open steps are alive; elsewhere each change is a line.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.markdown import Markdown
from rich.padding import Padding
from rich.spinner import Spinner
from rich.text import Text

from temporal.steps import WORKFLOW_CODE
from workflows.steps import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agents.citation import Citation
    from temporal.steps import Step, StepState
    from workflows.contracts import AgentResult, IngestResult, Usage

MOST_LIVE_LINES = 8
MOST_QUOTED = 300
"""Characters of a quote below an answer; `--json` has it whole."""

MARKS: dict[StepState, tuple[str, str]] = {
    "scheduled": ("→", "dim"),
    "retrying": ("↻", "yellow"),
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
    "cancelled": ("○", "dim"),
}


class Display(Protocol):
    """Where progress is shown."""

    def step(self, step: Step) -> None:
        """Shows a step that has changed."""

    def note(self, text: str) -> None:
        """Shows a line that stays."""

    def status(self, text: str) -> None:
        """Shows what is going on at the moment; the next one replaces it, and an empty one takes it away."""

    def writing(self, text: str) -> None:
        """Shows what a model has written so far; an empty text takes it away."""


@contextmanager
def open_display() -> Iterator[Display]:
    """A live display in a terminal, lines elsewhere. It is gone when the block ends, and its lines stay."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield Lines(console)
        return
    with Live(console=console, transient=True, refresh_per_second=10) as live:
        yield Alive(live)


class Silent:
    """For `--json`: a script reads the result alone."""

    def step(self, step: Step) -> None: ...

    def note(self, text: str) -> None: ...

    def status(self, text: str) -> None: ...

    def writing(self, text: str) -> None: ...


class Lines:
    """For pipes, logs and CI."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = ""

    def step(self, step: Step) -> None:
        self.note(describe(step).plain)

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def status(self, text: str) -> None:
        if text not in ("", self._status):
            self.note(text)
        self._status = text

    def writing(self, text: str) -> None:
        """Half a sentence is no line."""


class Alive:
    """For a terminal: steps that are over scroll away above those that are open."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._open: dict[str, Spinner] = {}
        self._status: list[Spinner] = []
        self._writing = ""

    def step(self, step: Step) -> None:
        if step.is_over or step.activity == WORKFLOW_CODE:
            self._open.pop(step.id, None)
            self._writing = ""
            self._live.console.print(describe(step))
        else:
            self._open[step.id] = Spinner("dots", describe(step, mark=False), style="cyan")
        self._refresh()

    def note(self, text: str) -> None:
        self._live.console.print(text, markup=False, soft_wrap=True)  # a command may be copied from it

    def status(self, text: str) -> None:
        self._status = [Spinner("dots", Text(text, style="dim"))] if text else []
        self._refresh()

    def writing(self, text: str) -> None:
        self._writing = text
        self._refresh()

    def _refresh(self) -> None:
        written = [Padding(Text(_end(self._writing), style="dim"), (0, 0, 0, 2))] if self._writing else []
        self._live.update(Group(*self._open.values(), *written, *self._status), refresh=True)


def _end(text: str) -> str:
    """A live display can't be taller than the terminal: the last lines of a long text."""
    return "\n".join(text.splitlines()[-MOST_LIVE_LINES:])


def describe(step: Step, *, mark: bool = True) -> Text:
    """`✓ call_model · extractive  12 ms`."""
    symbol, style = MARKS[step.state]
    line = Text.assemble((f"{symbol} ", style)) if mark else Text()
    line.append(step.activity, "bold")
    if step.summary:
        line.append(f" · {step.summary}")
    if step.seconds is not None:
        line.append(f"  {duration(step.seconds)}", "dim")
    if step.attempt > 1:
        line.append(f"  attempt {step.attempt}", "yellow")
    if step.error:
        line.append(f"  {step.error}", style)
    return line


def duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def show_answer(result: AgentResult, url: str | None) -> None:
    """The answer as markdown in a terminal and as it is elsewhere, then where it is from and what it cost."""
    console = Console(highlight=False)
    as_lines = not console.is_terminal
    console.print()
    console.print(rendered(result.output, console), soft_wrap=as_lines)
    if result.citations:
        console.print()
        console.print("Citations", style="bold")
        for citation in result.citations:
            console.print(cited(citation), soft_wrap=as_lines)
    console.print()
    console.print(f"Cost: {cost(result.usage)}", style="dim", soft_wrap=True)
    if url:
        console.print(f"Web UI: {url}", style="dim", soft_wrap=True)


def show_ingested(result: IngestResult, url: str | None) -> None:
    console = Console(highlight=False)
    console.print(ingested(result), soft_wrap=True)
    for document in result.quarantined:
        console.print(f"  left out: {document.document}: {document.reason}", markup=False, soft_wrap=True)
    if url:
        console.print(f"Web UI: {url}", style="dim", soft_wrap=True)


def ingested(result: IngestResult) -> str:
    """`Collection 'docs': 41 documents, 1,204 chunks written, 0 unchanged, 0 removed, 0 left out (lexical)`."""
    return (
        f"Collection {result.collection!r}: {result.documents:,} documents, {result.chunks:,} chunks written, "
        f"{result.unchanged:,} documents unchanged, {result.removed:,} removed, {len(result.quarantined):,} left out "
        f"(embedder {result.embedder})"
    )


def cost(usage: Usage) -> str:
    """`2 model calls, 1 retrieval`, and the tokens where the provider counted them."""
    calls = {"model call": usage.model_calls, "tool call": usage.tool_calls, "retrieval": usage.retrievals}
    parts = [f"{number:,} {noun}{'s' * (number != 1)}" for noun, number in calls.items() if number]
    if usage.input_tokens or usage.output_tokens:
        parts.append(f"{usage.input_tokens:,} input and {usage.output_tokens:,} output tokens")
    else:
        parts.append("no tokens")
    return ", ".join(parts)


def rendered(output: Any, console: Console) -> Any:
    """A text as it is; what is not a text as JSON."""
    if not isinstance(output, str):
        from pydantic_core import to_json  # noqa: PLC0415 -- rarely needed, and slow to load

        return Text(to_json(output, indent=2).decode())
    return Markdown(output) if console.is_terminal else Text(output)


def cited(citation: Citation) -> Text:
    line = Text.assemble((f"[{citation.marker}] ", "cyan"), (citation.document, "bold"))
    if citation.section:
        line.append(f" › {citation.section}")  # noqa: RUF001 -- a path of headings is written so
    line.append(f": “{shorten(citation.quote, MOST_QUOTED)}”")
    return line
