"""What a run asks people: what waits, who may answer and until when, and what was decided. Runs in workflows.

Lists of runs find those that wait by a search attribute. It takes one command when a run asks and one when it is
answered, beside a timer where a question expires or escalates.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import structlog
from pydantic import BaseModel
from temporalio import workflow

from activities.sizes import packed
from agents.errors import InvalidInput
from workflows.contracts import DECIDER, QUESTIONS, Decision, Question

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

MOST_BYTES = 1_900
"""Of one search attribute; the server takes 2,048."""

MOST_DECISIONS = 500
LONGEST_ANSWER = 500
"""Characters of JSON that the log of decisions keeps of one answer."""

NOBODY = "Nobody decided in time."

log = structlog.get_logger()


class Questions(BaseModel):
    """Those of one run, handed on from execution to execution. `similar` has, by tool, the approvals that hold for its
    later calls, too.
    """

    waiting: dict[str, Question] = {}
    answers: dict[str, Any] = {}
    decisions: list[Decision] = []
    similar: dict[str, Decision] = {}

    def ask(self, questions: list[Question]) -> None:
        """Lets lists of runs show who waits. The search attribute is a command, too: without one in this task, a worker
        that has lost the run would be handed the answer before it has replayed the question.
        """
        packed(questions, "What the run asks", workflow.payload_converter())
        self.waiting = {question.id: question for question in questions}
        self.answers = {}
        self._show()

    def ask_again(self) -> None:
        """What the execution before this one asked, and was not answered, is asked by this one."""
        if self.waiting:
            self._show()

    def withdraw(self) -> None:
        """Whoever asked is over: nothing waits any more."""
        self.hide()
        self.waiting, self.answers = {}, {}

    def hide(self) -> None:
        """An execution that goes on in another asks nothing any more."""
        if self.waiting:
            workflow.upsert_search_attributes([QUESTIONS.value_unset()])

    def named(self, identifier: str, by: list[str]) -> Question:
        """The question that `by` wants to answer. Raises `InvalidInput`, with who was first where somebody was."""
        question = self.waiting.get(identifier)
        if question is None:
            if decision := self.decision(identifier):
                raise InvalidInput(decision.told)
            waiting = ", ".join(map(repr, self.waiting)) or "none"
            raise InvalidInput(f"No question {identifier!r} waits for an answer. Waiting: {waiting}.")
        if question.deciders and not {*question.deciders}.intersection(by):
            raise InvalidInput(
                f"Question {identifier!r} is decided by {_names(question.deciders)}, and not by {_names(by)}."
            )
        return question

    def decision(self, identifier: str) -> Decision | None:
        """The last one about this question."""
        return next((each for each in reversed(self.decisions) if each.question == identifier), None)

    def answer(self, question: Question, answer: Any, *, by: list[str], digest: str | None = None) -> None:
        """Takes a person's answer. An approval of similar calls settles those that wait already as well."""
        decision = self._decide(question, answer, by=by, digest=digest)
        if question.tool and isinstance(answer, dict) and answer.get("similar") and question.kind == "approval":
            self.similar[question.tool] = decision
            for other in [*self.waiting.values()]:
                if other.kind == "approval" and other.tool == question.tool:
                    self._decide(other, {"approve": True}, by=by, how="similar", digest=other.value["digest"])
        self._show()

    def clears(self, tool: str, node: str | None, digest: str) -> bool:
        """Whether a call is like one that was approved with those like it. Then that is kept as a decision, too."""
        earlier = self.similar.get(tool)
        if earlier is not None:
            told = {"answer": {"approve": True}, "how": "similar", "node": node, "digest": digest, "at": workflow.now()}
            self._keep(earlier.model_copy(update=told))
        return earlier is not None

    async def settled(self) -> bool:
        """Waits until people, or time, have answered all. False where the run must go on in a new execution first."""
        while self.waiting:
            self._let_pass(workflow.now())
            try:
                await workflow.wait_condition(
                    lambda: not self.waiting or self._is_long(),
                    timeout=self._until_next(workflow.now()),
                    timeout_summary="a question expires or escalates",
                )
            except TimeoutError:
                continue
            if self.waiting and self._is_long():
                return False
        return True

    def _is_long(self) -> bool:
        """Whether answers have filled the history while others are still waited for."""
        return bool(self.answers) and workflow.info().is_continue_as_new_suggested()

    def _until_next(self, now: datetime) -> Any:
        times = [
            time for question in self.waiting.values() for time in (question.escalates_at, question.expires_at) if time
        ]
        return min(times) - now if times else None

    def _let_pass(self, now: datetime) -> None:
        """Does what is due by now."""
        changed = False
        for question in [*self.waiting.values()]:
            if question.expires_at and question.expires_at <= now:
                answer = {"approve": question.on_expiry == "approve", "reason": NOBODY}
                self._decide(question, answer, by=[], how="expiry", digest=question.value["digest"])
                changed = True
            elif question.escalates_at and question.escalates_at <= now:
                deciders = [*dict.fromkeys([*question.deciders, *question.escalate_to])]
                told = {"deciders": deciders, "escalates_at": None}
                self.waiting[question.id] = question.model_copy(update=told)
                changed = True
        if changed:
            self._show()

    def _decide(
        self,
        question: Question,
        answer: Any,
        *,
        by: list[str],
        how: Literal["person", "expiry", "similar"] = "person",
        digest: str | None = None,
    ) -> Decision:
        del self.waiting[question.id]
        self.answers[question.id] = answer
        decision = Decision(
            question=question.id,
            kind=question.kind,
            node=question.node,
            tool=question.tool,
            answer=_cut(answer),
            by=by,
            at=workflow.now(),
            how=how,
            digest=digest,
        )
        self._keep(decision)
        return decision

    def _keep(self, decision: Decision) -> None:
        self.decisions = [*self.decisions, decision][-MOST_DECISIONS:]
        if not workflow.unsafe.is_replaying():
            told = decision.model_dump(mode="json", exclude={"answer"}, exclude_none=True)
            log.info("question_decided", run=workflow.info().workflow_id, **told)

    def _show(self) -> None:
        entries = entries_of(self.waiting.values())
        update = QUESTIONS.value_set(entries) if entries else QUESTIONS.value_unset()
        workflow.upsert_search_attributes([update])


def entries_of(questions: Iterable[Question]) -> list[str]:
    """The ids, and who may decide, as many as the server takes: of hundreds that wait, the first ones."""
    ids = [question.id for question in questions]
    deciders = dict.fromkeys(f"{DECIDER}{name}" for question in questions for name in question.deciders)
    entries, size = [], 0
    for entry in [*ids[:1], *deciders, *ids[1:]]:
        size += len(json.dumps(entry)) + 2
        if size <= MOST_BYTES:
            entries.append(entry)
    return entries


def _cut(answer: Any) -> Any:
    text = json.dumps(answer, ensure_ascii=False)
    return answer if len(text) <= LONGEST_ANSWER else f"{text[:LONGEST_ANSWER]}…"


def _names(names: list[str]) -> str:
    return " or ".join(map(repr, names)) or "somebody without a name: say who decides, `by`"
