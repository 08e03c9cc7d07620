"""Sentences of Markdown and reStructuredText, with exact offsets."""

import pytest

from agents.sentences import split

GUIDE = """\
## Timers

A timer is durable. It survives a restart, e.g. of the worker!

* Start one with `asyncio.sleep()`
* Cancel it
  like any task. Nothing else is needed.

Install it with:

```shell
pip install temporalio
# not a heading
```

| column | other |
|--------|-------|
"""


def prose(text: str) -> list[str]:
    return [sentence.prose for sentence in split(text)]


def test_paragraphs_and_list_items_come_apart_into_sentences() -> None:
    assert prose(GUIDE) == [
        "A timer is durable.",
        "It survives a restart, e.g. of the worker!",
        "Start one with `asyncio.sleep()`",
        "Cancel it\n  like any task.",
        "Nothing else is needed.",
        "Install it with:",
    ]


def test_offsets_give_the_exact_span() -> None:
    first, *_, last = split(GUIDE)

    assert GUIDE[first.start : first.end] == "A timer is durable."
    assert GUIDE[last.start : last.end] == "Install it with:\n\n```shell\npip install temporalio\n# not a heading\n```"


def test_a_sentence_that_ends_in_a_colon_brings_its_code() -> None:
    *_, last = split(GUIDE)

    assert last.code == "```shell\npip install temporalio\n# not a heading\n```"


@pytest.mark.parametrize(
    "text",
    [
        "Usage\n=====\n",
        ".. image:: picture.png\n   :alt: Picture\n",
        "```\nHidden in a fence.\n```\n",
        "Literal::\n\n    Hidden in a block.\n"[9:],
        "| a | b |\n",
        ">>> print('Hello there.')\n",
    ],
)
def test_what_is_no_prose_is_left_out(text: str) -> None:
    assert prose(text) == []


def test_a_literal_block_of_rst_is_code() -> None:
    [sentence] = split("Import the module::\n\n    import regex\n\n")

    assert sentence.prose == "Import the module::"
    assert sentence.code == "    import regex"


def test_links_are_read_as_their_words() -> None:
    [markdown, rst] = split("See [the **guide**](https://example.org/a_(b)).\n\nSee `the guide <https://x.org>`__ too.")

    assert markdown.plain.startswith("See the **guide**")
    assert rst.plain == "See the guide too."


def test_an_empty_text_has_no_sentences() -> None:
    assert split("") == []
