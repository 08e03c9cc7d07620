"""When and how the conversation of a thread is made shorter."""

from __future__ import annotations

from dataclasses import dataclass

PLACE = "{messages}"

PROMPT = f"""\
The conversation below has become long. What you write now takes the place of it: the assistant goes on with your \
summary, and has the original no more.

Write down what is needed to go on well: what the user wants and has said of themselves, what was found, decided and \
promised, with names, numbers and dates as they were; what was tried and did not work; what is still open. If the \
conversation begins with a summary, take over what still matters of it. Write the summary alone.

<conversation>
{PLACE}
</conversation>"""


@dataclass(frozen=True, slots=True)
class Compaction:
    """A conversation of more than `tokens` is summarised after the turn, but for its last messages, `keep` at least.

    `model` writes the summary, by its name, or else the one that the operator configured. `prompt` is what it is told,
    with the conversation in the place of `{messages}`.
    """

    tokens: int = 100_000
    keep: int = 20
    model: str | None = None
    prompt: str | None = None

    def __post_init__(self) -> None:
        if self.tokens < 1:
            raise ValueError(f"A conversation is compacted above a number of tokens, and `tokens` is {self.tokens}.")
        if self.keep < 1:
            raise ValueError(f"The last message of a conversation is kept, at least: `keep` is {self.keep}.")
        if self.prompt is not None and PLACE not in self.prompt:
            raise ValueError(f"The prompt of a compaction says where the conversation is to be: put {PLACE} into it.")
