"""What a check found: what was run, and each finding with its place and what to do."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["blocking", "drawn", "differs", "failed", "slow", "unfinished", "build", "value", "environment"]
Outcome = Literal["completed", "failed", "unfinished", "not built"]


class Finding(BaseModel):
    """`node` is its path, `inner.model` for one of a subgraph; `line` is `file:number`. A note is no defect."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    node: str | None = None
    line: str | None = None
    said: str
    remedy: str = ""
    is_note: bool = False


class Report(BaseModel):
    """`made_up` are the tools and the nodes whose bodies were not carried out: they were given made-up answers."""

    model_config = ConfigDict(frozen=True)

    agent: str
    outcome: Outcome
    reached: list[str] = []
    not_reached: list[str] = []
    tools_called: list[str] = []
    tools_not_called: list[str] = []
    made_up: list[str] = []
    models: list[str] = []
    replays: int = 0
    findings: list[Finding] = []

    @property
    def is_clean(self) -> bool:
        return all(finding.is_note for finding in self.findings)
