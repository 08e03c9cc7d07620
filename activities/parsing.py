"""From bytes to the text of a document: decoded, checked, and cleaned of badges, images and tables of contents.

The cleaned text is the document's text: all offsets, from chunks to citations, refer to it. Runs in activities.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from agents.errors import UnreadableDocument

if TYPE_CHECKING:
    from importlib.metadata import Distribution
    from pathlib import Path

VERSION = "text-1"
"""Goes into each document's fingerprint: change it with anything here that changes a text."""

Markup = Literal["markdown", "rst"]

LONGEST_FILE = 5_000_000
SIGNATURES = {
    b"%PDF-": "a PDF file",
    b"PK\x03\x04": "a ZIP archive or an Office file",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"\x1f\x8b": "a gzip archive",
    b"\x7fELF": "a program",
}
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
FENCED = re.compile(r"^([ \t]*)(`{3,}|~{3,})[^\n]*\n.*?(?:^[ \t]*\2[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
HTML_TAGS = (
    "a abbr b big blockquote body br caption center code dd del details div dl dt em figure figcaption font h1 h2 "
    "h3 h4 h5 h6 hr i img kbd li ol p picture pre s small source span strong sub summary sup table tbody td th thead "
    "tr u ul video"
).replace(" ", "|")
NOISE = [
    (re.compile(r"<!--.*?-->", re.DOTALL), ""),
    (re.compile(r"<(script|style|svg)\b.*?</\1>", re.DOTALL | re.IGNORECASE), ""),
    (re.compile(r"\[\s*!\[[^\]]*\]\s*(?:\([^)]*\)|\[[^\]]*\])\s*\]\s*(?:\([^)]*\)|\[[^\]]*\])"), ""),
    (re.compile(r"!\[[^\]]*\](?:\([^)]*\)|\[[^\]]*\])"), ""),
    (re.compile(r"^[ \t]*[-*+] \[[^\]\n]*\]\(#[^)\n]*\)[ \t]*\n", re.MULTILINE), ""),
    (re.compile(r"^ {0,3}\[[^\]\n]+\]:[ \t]*\S+[^\n]*\n?", re.MULTILINE), ""),
    (re.compile(rf"</?(?:{HTML_TAGS})(?:\s[^<>]*)?/?>", re.IGNORECASE), ""),
]
RST_NOISE = [
    (re.compile(r"^\.\. (?:\|[^|\n]+\| )?image::[^\n]*\n(?:[ \t]+[^\n]*\n)*", re.MULTILINE), ""),
    (re.compile(r"^\.\. (?:_[^\n]+:[^\n]*|contents::[^\n]*)\n(?:[ \t]+[^\n]*\n)*", re.MULTILINE), ""),
    (re.compile(r"^(?:[ \t]*\|[\w .-]+\|)+[ \t]*\n", re.MULTILINE), ""),
]


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    title: str
    markup: Markup
    text: str


def parse_file(path: Path) -> ParsedDocument:
    markup: Markup = "markdown" if path.suffix.lower() in (".md", ".markdown") else "rst"
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= LONGEST_FILE else b""
    except OSError as error:
        raise UnreadableDocument(f"The file can't be read: {error.strerror}.") from error
    if size > LONGEST_FILE:
        raise UnreadableDocument(f"The file has {size} bytes, and {LONGEST_FILE} are the limit: split it.")
    text = clean(decode(data), markup)
    return ParsedDocument(_first_line(text) or path.stem, markup, text)


def parse_description(distribution: Distribution) -> ParsedDocument:
    """The long description of an installed distribution: its README, from the METADATA file."""
    try:
        metadata = distribution.metadata
    except UnicodeDecodeError as error:
        raise UnreadableDocument(f"The METADATA file is not UTF-8 (byte {error.start}).") from error
    fields = {name: metadata[name] for name in metadata}
    markup: Markup = "markdown" if "markdown" in fields.get("Description-Content-Type", "") else "rst"
    summary = fields.get("Summary", "").strip()
    title = f"{fields['Name']}: {summary}" if summary else fields["Name"]
    return ParsedDocument(title, markup, clean(_checked(fields.get("Description", "")), markup))


def decode(data: bytes) -> str:
    """Text from UTF-8, or from UTF-16 that says so. Raises UnreadableDocument with the reason."""
    for signature, kind in SIGNATURES.items():
        if data.startswith(signature):
            raise UnreadableDocument(f"This is {kind}, not text: convert it to Markdown first.")
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return _checked(data.decode(encoding))
    except UnicodeDecodeError as error:
        raise UnreadableDocument(
            f"The text is not {encoding.removesuffix('-sig').upper()} (byte {error.start}): save it as UTF-8."
        ) from error


def clean(text: str, markup: Markup) -> str:
    """The text without what nobody reads. Fenced code stays as it is."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    pieces: list[str] = []
    end = 0
    for code in FENCED.finditer(text) if markup == "markdown" else ():
        pieces += [_clean_prose(text[end : code.start()], markup), code.group()]
        end = code.end()
    cleaned = "".join([*pieces, _clean_prose(text[end:], markup)])
    return re.sub(r"\n{3,}", "\n\n", cleaned).strip() + "\n"


def _clean_prose(text: str, markup: Markup) -> str:
    for pattern, replacement in [*NOISE, *(RST_NOISE if markup == "rst" else [])]:
        text = pattern.sub(replacement, text)
    return re.sub(r"[ \t]+$", "", html.unescape(text).replace("\xa0", " "), flags=re.MULTILINE)


def _checked(text: str) -> str:
    if (control := CONTROL.search(text)) is not None:
        raise UnreadableDocument(
            f"There is a control character (U+{ord(control.group()):04X}) at {control.start()}: this is no text."
        )
    return text


def _first_line(text: str) -> str:
    return text.lstrip("#=-*~ \n").partition("\n")[0].strip()[:200]
