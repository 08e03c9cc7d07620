"""The model that quotes: what it searches for, and what it answers."""

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage

from agents.extractive import EMPTY_QUESTION, NO_SEARCH_TOOL, NOTHING_FOUND, ExtractiveModel

QUESTION = HumanMessage("How do I set a timer in a Temporal workflow?")
PASSAGES = """\
[a3f9c2] temporalio 1.35.0 — Usage › Timers
* A timer is represented by `asyncio.sleep()` in a workflow
* Workers poll for tasks.

[07be41] temporalio 1.35.0 — Cancellation
A timer is cancelled together with the workflow's task. Signals are something else.
"""  # noqa: RUF001  what stands between headings
SEARCH = {
    "type": "function",
    "function": {"name": "search", "parameters": {"properties": {"query": {"type": "string"}}}},
}
CLOCK = {"type": "function", "function": {"name": "clock", "parameters": {"properties": {"zone": {"type": "string"}}}}}


async def ask(*messages, tools=(CLOCK, SEARCH)) -> AIMessage:
    return await ExtractiveModel().bind_tools(list(tools)).ainvoke(list(messages))


def found(content: str = PASSAGES, **fields) -> list:
    call = {"name": "search", "args": {"query": "timer"}, "id": "call_1"}
    return [AIMessage("", tool_calls=[call]), ToolMessage(content, tool_call_id="call_1", **fields)]


async def test_it_searches_first_with_the_words_that_matter() -> None:
    message = await ask(SystemMessage("Answer."), QUESTION)

    [call] = message.tool_calls
    assert (call["name"], call["args"]) == ("search", {"query": "timer Temporal workflow"})


async def test_a_tool_may_be_given_as_a_function() -> None:
    async def look_up(query: str) -> str:
        """Look something up."""
        return query

    message = await ask(QUESTION, tools=[look_up])

    assert message.tool_calls[0]["name"] == "look_up"


async def test_it_quotes_the_best_sentences_each_with_its_marker() -> None:
    message = await ask(QUESTION, *found())

    _, *quoted = message.text.split("\n\n")
    assert quoted == [
        "A timer is represented by `asyncio.sleep()` in a workflow [a3f9c2]",
        "A timer is cancelled together with the workflow's task. [07be41]",
    ]


async def test_it_says_that_there_is_no_language_model() -> None:
    message = await ask(QUESTION, *found())

    assert message.text.startswith("No language model is configured, so here are the passages that match best, quoted.")


async def test_it_says_which_words_the_passages_do_not_have() -> None:
    message = await ask(HumanMessage("How do I set a timer of a workflow in Kafka?"), *found())

    assert "They do not mention “Kafka”." in message.text


async def test_it_says_when_nothing_matches() -> None:
    message = await ask(HumanMessage("What is the capital of France?"), *found())

    assert message.text == NOTHING_FOUND


async def test_a_sentence_brings_the_code_that_it_introduces() -> None:
    passage = "[beef01] guide.md\nStart a timer with:\n\n```python\nawait asyncio.sleep(60)\n```\n"

    message = await ask(HumanMessage("How do I start timers?"), *found(passage))

    assert "Start a timer with: [beef01]\n\n```python\nawait asyncio.sleep(60)\n```" in message.text


async def test_a_search_that_failed_is_not_taken_for_an_empty_one() -> None:
    message = await ask(QUESTION, *found("Unknown collection 'docs'.", status="error"))

    assert "the search for them failed: Unknown collection 'docs'." in message.text


@pytest.mark.parametrize("text", ["", "  \n"])
async def test_an_empty_question_is_answered_without_a_search(text: str) -> None:
    message = await ask(HumanMessage(text))

    assert (message.text, message.tool_calls) == (EMPTY_QUESTION, [])


async def test_without_a_tool_for_queries_it_says_so() -> None:
    message = await ask(QUESTION, tools=[CLOCK])

    assert message.text == NO_SEARCH_TOOL


async def test_the_next_question_is_searched_for_anew() -> None:
    message = await ask(QUESTION, *found(), AIMessage("Quoted."), HumanMessage("And signals?"))

    assert message.tool_calls[0]["args"] == {"query": "signals"}


async def test_the_same_conversation_has_the_same_answer() -> None:
    one, other = await ask(QUESTION), await ask(QUESTION)

    assert one.tool_calls == other.tool_calls


@pytest.mark.parametrize("messages", [[QUESTION], [QUESTION, *found()]], ids=["call", "answer"])
async def test_streamed_chunks_add_up_to_the_message(messages: list) -> None:
    model = ExtractiveModel().bind_tools([SEARCH])
    whole = AIMessageChunk(content="")

    async for chunk in model.astream(messages):
        whole += chunk

    message = await ask(*messages, tools=[SEARCH])
    assert (whole.text, whole.tool_calls) == (message.text, message.tool_calls)


async def test_it_invents_no_token_counts() -> None:
    message = await ask(QUESTION, *found())

    assert message.usage_metadata is None
