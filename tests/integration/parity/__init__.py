"""The cases of the parity suite, by theme."""

from tests.integration.parity import (
    answers,
    deep,
    edges,
    functional,
    graphs,
    hooks,
    known,
    middleware,
    people,
    policies,
    states,
    streams,
    subgraphs,
    tools,
)
from tests.integration.parity.case import Case

THEMES = (
    graphs,
    states,
    edges,
    subgraphs,
    functional,
    tools,
    middleware,
    hooks,
    answers,
    people,
    policies,
    streams,
    deep,
    known,
)
CASES: list[Case] = [case for theme in THEMES for case in theme.CASES]
