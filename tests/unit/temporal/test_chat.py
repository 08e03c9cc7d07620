"""How a chat reads: turns as they happen, questions, answers, what was said before."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from activities.events import Event, ResetEvent, StepEvent, TokenEvent, UpdateEvent
from agents.citation import Citation
from agents.errors import InvalidInput
from temporal.cli.asking import arguments_of, described, judgement, read_word, value_of
from temporal.cli.recalling import recalled
from temporal.cli.screen import LastRows
from temporal.cli.turn import TurnView
from workflows.contracts import Question, Usage
from workflows.state import RunState
from workflows.turns import Turn, TurnError, Turns

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
TURN = "turn-1"


class Noted:
    """A screen that remembers. `shown` is what is alive."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.said: list[Any] = []
        self.shown: tuple[str, list[str]] = ("", [])
        self.opened = self.paused = nullcontext

    def line(self, text: Text | str) -> None:
        self.lines.append(str(text))

    def say(self, output: Any) -> None:
        self.said.append(output)

    def alive(self, text: str, lines: Any) -> None:
        self.shown = (text, [str(line) for line in lines])


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def screen() -> Noted:
    return Noted()


@pytest.fixture
def view(screen: Noted) -> TurnView:
    return TurnView(screen, TURN, clock=Clock())


def begins(step: str, activity: str, summary: str = "", *, turn: str = TURN) -> Event:
    return StepEvent(run="r", sequence=1, turn=turn, step=step, activity=activity, state="scheduled", summary=summary)


def ends(step: str, activity: str, state: Any = "completed", error: str | None = None) -> Event:
    return StepEvent(run="r", sequence=1, turn=TURN, step=step, activity=activity, state=state, error=error)


def token(step: str, text: str, *, attempt: int = 1) -> Event:
    return TokenEvent(run="r", sequence=1, step=step, attempt=attempt, message=f"of-{step}", text=text)


def begins_anew(step: str, attempt: int) -> Event:
    return ResetEvent(run="r", sequence=1, step=step, attempt=attempt)


def hear(view: TurnView, *events: Event) -> None:
    for event in events:
        view.hear(event)


def test_what_a_model_writes_is_alive_until_a_tool_is_called(view: TurnView, screen: Noted) -> None:
    hear(view, begins("m", "call_model"), token("m", "Let me "), token("m", "look."))
    alive = screen.shown
    hear(view, ends("m", "call_model"), begins("t", "look_up", '"A-1"'))
    called = screen.shown
    hear(view, ends("t", "look_up"))

    assert alive == ("Let me look.", [])
    assert screen.said == ["Let me look."]
    assert called == ("", ['look_up · "A-1"'])
    assert screen.lines == ['✓ look_up · "A-1"  1.0 s']
    assert screen.shown == ("", ["thinking"])


def test_a_step_that_begins_anew_takes_back_what_it_wrote(view: TurnView, screen: Noted) -> None:
    hear(view, begins("m", "call_model"), token("m", "In vain"), begins_anew("m", 2))
    taken_back = screen.shown
    hear(view, token("m", "Said.", attempt=2))

    assert taken_back == ("", ["call_model  attempt 2"])
    assert screen.shown[0] == "Said."


def test_a_tool_that_failed_and_one_that_was_retried_say_so(view: TurnView, screen: Noted) -> None:
    hear(view, begins("t", "pay"), begins_anew("t", 3), ends("t", "pay"))
    hear(view, begins("u", "ask"), ends("u", "ask", "failed", "ToolFailed: no"))

    assert screen.lines == ["✓ pay  1.0 s  attempt 3", "✗ ask  1.0 s  ToolFailed: no"]
    assert view.done == ["pay"]


def test_other_turns_and_their_steps_are_not_shown(view: TurnView, screen: Noted) -> None:
    hear(view, begins("x", "call_model", turn="turn-0"), token("x", "Not ours."))

    assert screen.shown == ("", [])


def test_the_answer_is_the_turn_s_and_is_said_once(view: TurnView, screen: Noted) -> None:
    hear(view, begins("m", "call_model"), token("m", "See [a1b2c3]."), ends("m", "call_model"))
    cited = Citation(marker="1", document="guide", section="Timers", quote="Timers last.", url=None)

    view.end(Turn(id=TURN, number=1, status="done", output="See [1].", citations=[cited], usage=Usage(model_calls=1)))

    assert screen.said == ["See [1]."]
    assert screen.lines == ["[1] guide › Timers: “Timers last.”", "1 model call, no tokens · 3.0 s"]  # noqa: RUF001


def test_what_is_no_text_is_said_as_it_is_after_what_models_said(view: TurnView, screen: Noted) -> None:
    hear(view, begins("m", "call_model"), token("m", "Sorted."), ends("m", "call_model"))

    view.end(Turn(id=TURN, number=1, status="done", output={"kind": "bill"}))

    assert screen.said == ["Sorted.", {"kind": "bill"}]


def test_an_interrupted_turn_says_what_is_left_of_it(view: TurnView, screen: Noted) -> None:
    hear(view, begins("t", "look_up"), ends("t", "look_up"), begins("m", "call_model"), token("m", "Half a"))

    view.end(Turn(id=TURN, number=1, status="interrupted", note="Something was not undone."))

    assert screen.said == ["Half a …"]
    assert screen.lines[1:3] == [
        "Interrupted. What it did stays: look_up. What it was writing is not part of the conversation.",
        "Something was not undone.",
    ]


def test_a_failed_turn_says_why_and_what_to_do(view: TurnView, screen: Noted) -> None:
    error = TurnError(type="ProviderRefused", message="401: no such key")

    view.end(Turn(id=TURN, number=1, status="failed", error=error))

    assert screen.lines[:2] == [
        "The turn failed with ProviderRefused: 401: no such key",
        "`perdure doctor` shows the model and the settings in use.",
    ]


def test_a_message_has_the_last_word_over_its_tokens(view: TurnView, screen: Noted) -> None:
    message = {"type": "ai", "id": "of-m", "content": "All of it."}
    hear(view, begins("m", "call_model"), token("m", "All"), ends("m", "call_model"))
    hear(view, UpdateEvent(run="r", sequence=2, turn=TURN, node="model", value={"messages": [message]}))

    assert screen.shown[0] == "All of it."


def test_of_a_text_taller_than_the_terminal_its_end_is_shown() -> None:
    console = Console(width=20, height=12)

    shown = console.render_lines(LastRows(Markdown("\n\n".join(map(str, range(50))))))

    rows = ["".join(segment.text for segment in line).strip() for line in shown]
    assert rows == ["", "47", "", "48", "", "49"]


def approval(**fields: Any) -> Question:
    value = {"kind": "approval", "tool": "refund", "arguments": {"order": "A-1", "cents": 5}}
    return Question(id="q1", value=value, kind="approval", agent="support", asked_at=NOON, **fields)


def test_an_approval_says_what_who_and_until_when() -> None:
    question = approval(deciders=["anna", "finance"], expires_at=NOON + timedelta(days=2), on_expiry="reject")

    assert described(question, NOON) == [
        'support asks: refund(order="A-1", cents=5)',
        "anna, finance may decide · without an answer, in 2 d: reject",
    ]
    assert arguments_of(question) == '{"order": "A-1", "cents": 5}'


def test_another_question_says_what_its_answer_must_be() -> None:
    schema = {"type": "object", "required": ["kind"]}
    question = Question(
        id="q1", value={"question": "Good?", "draft": "x"}, agent="shop", asked_at=NOON, answer_schema=schema
    )

    assert described(question, NOON) == [
        "shop asks: Good?",
        '{"draft": "x"}',
        'It must fit {"type": "object", "required": ["kind"]}',
    ]
    assert value_of(question, '{"kind": "yes"}') == {"kind": "yes"}
    with pytest.raises(InvalidInput, match="kind"):
        value_of(question, "{}")


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("y", {"approve": True}),
        ("YES", {"approve": True}),
        ("n", {"approve": False}),
        ("no too dear", {"approve": False, "reason": "too dear"}),
        ("s", {"approve": True, "similar": True}),
        ('e {"cents": 4}', {"approve": True, "arguments": {"cents": 4}}),
    ],
)
def test_a_word_judges(typed: str, answer: Any) -> None:
    assert judgement(approval(), *read_word(typed)) == answer


@pytest.mark.parametrize("typed", ["", "perhaps", "yn", "ye", "1"])
def test_anything_else_judges_nothing(typed: str) -> None:
    with pytest.raises(InvalidInput, match="Type y, n, e or s"):
        read_word(typed)


def test_what_langchain_s_middleware_holds_back_takes_yes_and_no_alone() -> None:
    question = Question(id="q1", value={"action_requests": [{"name": "pay", "args": {}}]}, asked_at=NOON)

    assert judgement(question, "no", "too dear") == {"decisions": [{"type": "reject", "message": "too dear"}]}
    with pytest.raises(InvalidInput, match="y or n"):
        judgement(question, "similar", "")


def state(values: Any) -> RunState:
    return RunState(checkpoint="c", step=1, source="loop", values=values)


def test_who_comes_back_reads_what_was_said_last() -> None:
    messages = [{"type": "human", "content": f"Question {number}?"} for number in range(9)]
    messages += [
        {"type": "ai", "content": ""},
        {"type": "tool", "content": "found"},
        {"type": "ai", "content": [{"type": "text", "text": "An\nanswer."}]},
    ]

    lines = recalled(Turns(), state({"messages": messages}), "support")

    assert lines == ["…", *(f"> Question {number}?" for number in range(4, 9)), "support: An answer."]


def test_of_an_agent_without_messages_what_its_turns_came_to_is_recalled() -> None:
    turns = Turns(turns=[Turn(id="a", number=1, status="done", output={"sum": 3})])

    assert recalled(turns, state({"sum": 3}), "adder") == ["adder: {'sum': 3}"]
    assert recalled(Turns(), None, "adder") == []
