"""What calls of a tool wait for a person's approval, who may give it, and what happens when nobody does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from agents.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

OnExpiry = Literal["approve", "reject"]


@dataclass(frozen=True, slots=True)
class Approval:
    """`when` is "always", "never", or a CEL expression that is true for the calls that a person must approve.

    `approvers` are the names and groups who may decide, anybody where there are none. After `escalate_after`, those of
    `escalate_to` may decide, too. After `expires`, `on_expiry` is decided without anybody. Both times are counted from
    the question, by timers that survive whatever happens to workers.
    """

    when: str = "always"
    approvers: Sequence[str] = ()
    expires: timedelta | None = None
    on_expiry: OnExpiry = "reject"
    escalate_after: timedelta | None = None
    escalate_to: Sequence[str] = ()

    def __post_init__(self) -> None:
        _ = self.rule  # raises where it is none
        for name, people in (("approvers", self.approvers), ("escalate_to", self.escalate_to)):
            if isinstance(people, str) or not all(isinstance(each, str) and each.strip() for each in people):
                raise ValueError(f"{name} is {people!r} where a list of names is expected.")
        if self.on_expiry not in ("approve", "reject"):
            raise ValueError(f"on_expiry is {self.on_expiry!r} where 'approve' or 'reject' is expected.")
        for name, time in (("expires", self.expires), ("escalate_after", self.escalate_after)):
            if time is not None and time.total_seconds() <= 0:
                raise ValueError(f"{name} is {time}, which is over before anybody is asked.")
        if bool(self.escalate_after) != bool(self.escalate_to):
            raise ValueError("An escalation needs both `escalate_after` and `escalate_to`.")
        if self.escalate_after and not self.approvers:
            raise ValueError(
                "Without `approvers` anybody may decide from the beginning: there is nobody to escalate to."
            )
        if self.escalate_after and self.expires and self.escalate_after >= self.expires:
            raise ValueError(f"It expires after {self.expires}, before it escalates, after {self.escalate_after}.")

    @property
    def rule(self) -> Rule | None:
        return None if self.when in ("always", "never") else Rule(self.when)


ALWAYS, NEVER = Approval("always"), Approval("never")


def approval_of(declared: str | Approval) -> Approval:
    """What `approve=...` says: a rule alone, or an `Approval`. Raises `ValueError` for a rule that is none."""
    return Approval(declared) if isinstance(declared, str) else declared
