"""RESULTS.md: one section for each part, under a heading of its own. A part that was not run keeps its section."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SECTION = re.compile(r"^# ", re.MULTILINE)


def merged(text: str, made: Mapping[str, str], order: Sequence[str]) -> str:
    """`text` with the sections in `made`, by heading, in place of those that it had, in `order`."""
    sections = {**_sections(text), **made}
    return "\n".join(f"# {heading}\n\n{sections[heading].strip()}\n" for heading in order if heading in sections)


def _sections(text: str) -> dict[str, str]:
    parts = [part.partition("\n") for part in SECTION.split(text)[1:]]
    return {heading.strip(): body for heading, _, body in parts}
