"""From bytes to a document's text."""

from importlib.metadata import distribution
from pathlib import Path

import pytest

from activities.parsing import LONGEST_FILE, clean, decode, parse_description, parse_file
from agents.errors import UnreadableDocument


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"%PDF-1.7 ...", "a PDF file"),
        (b"PK\x03\x04rest", "an Office file"),
        (b"text\x00text", "control character"),
        ("Müller".encode("latin-1"), "not UTF-8 (byte 1)"),
    ],
)
def test_what_is_no_text_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableDocument) as caught:
        decode(data)

    assert reason in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_is_read_however_it_is_marked(encoding: str) -> None:
    assert decode("Grüße, 世界".encode(encoding)) == "Grüße, 世界"


@pytest.mark.parametrize(
    ("noisy", "cleaned"),
    [
        ("[![Build](https://ci/badge.svg)](https://ci)\n\nText.\n", "Text.\n"),
        ("![Logo][logo] Text.\n\n[logo]: https://x/logo.png\n", "Text.\n"),
        ('<p align="center"><img src="a.png"/>Text.</p>\n', "Text.\n"),
        ("<!-- hidden\nlines -->Text.\n", "Text.\n"),
        ("* [Usage](#usage)\n    * [Client](#client)\n\nText.\n", "Text.\n"),
        ("One &amp; two.\r\n\r\n\r\n\r\nThree.\n", "One & two.\n\nThree.\n"),
        ("Use `List<T>` and <your-name>.\n", "Use `List<T>` and <your-name>.\n"),
    ],
)
def test_what_nobody_reads_is_taken_out_of_markdown(noisy: str, cleaned: str) -> None:
    assert clean(noisy, "markdown") == cleaned


def test_badges_and_targets_are_taken_out_of_rst() -> None:
    noisy = ".. image:: https://x/a.svg\n   :target: https://x\n\n.. _here: https://x\n\n|build| |docs|\n\nText.\n"

    assert clean(noisy, "rst") == "Text.\n"


def test_code_stays_as_it_is() -> None:
    code = "```html\n<p><img src='a.png'></p>   \n<!-- kept -->\n```\n"

    assert clean(f"Text.\n\n{code}", "markdown") == f"Text.\n\n{code}"


def test_the_first_heading_is_the_title_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "guide.md"
    path.write_text("# The guide\n\nText.\n")

    assert parse_file(path).title == "The guide"


def test_a_file_that_cant_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument, match="can't be read"):
        parse_file(tmp_path / "missing.md")


def test_a_file_that_is_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_bytes(b"x" * (LONGEST_FILE + 1))

    with pytest.raises(UnreadableDocument, match="split it"):
        parse_file(path)


def test_a_distribution_has_its_description_as_text() -> None:
    parsed = parse_description(distribution("temporalio"))

    assert parsed.title == "temporalio: Temporal.io Python SDK"
    assert parsed.markup == "markdown"
    assert "#### Timers" in parsed.text
