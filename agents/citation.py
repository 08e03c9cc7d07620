"""Where a statement of an answer stands in the documents that it was made from."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Citation(BaseModel):
    """`quote` is a span of `section` in `document`.

    `marker` is the number that stands for it in the answer, as in `[1]`; `start` and `end` are the offsets of
    the quote, in characters, in the document's text.
    """

    model_config = ConfigDict(frozen=True)

    marker: int
    document: str
    section: str
    quote: str
    source: str = ""
    start: int | None = None
    end: int | None = None
