"""How a search tool's passages are shown to a chat model: each headed by the marker that a statement cites.

[a3f9c2] temporalio 1.35.0 — Timers
A timer is represented by a normal `asyncio.sleep()` call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_core.documents import Document

MARKER = r"[0-9a-f]{6}"
HEADER = re.compile(rf"^\[({MARKER})\] (.*?)(?: — (.*))?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Passage:
    marker: str
    document: str
    section: str
    text: str


def marker(document: Document) -> str:
    """Six hexadecimal digits of the chunk's uuid: the same chunk has the same marker in every search."""
    return str(document.id).replace("-", "")[:6].lower()


def render(documents: Iterable[Document]) -> str:
    return "\n\n".join(f"{_header(document)}\n{document.page_content.strip()}" for document in documents)


def read(content: str) -> list[Passage]:
    """The passages that `render` wrote. Text without a marker gives none."""
    headers = list(HEADER.finditer(content))
    ends = [*(header.start() for header in headers[1:]), len(content)]
    return [
        Passage(header[1], header[2], header[3] or "", content[header.end() : end].strip())
        for header, end in zip(headers, ends, strict=False)
    ]


def _header(document: Document) -> str:
    section = document.metadata.get("section")
    return f"[{marker(document)}] {document.metadata.get('document', '')}" + (f" — {section}" if section else "")
