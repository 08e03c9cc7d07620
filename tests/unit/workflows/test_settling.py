"""What of a conversation is left open."""

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from agents.testing import call
from workflows.settling import open_calls


def test_calls_without_an_answer_are_open() -> None:
    both = AIMessage("", tool_calls=[*call("pay", "one").tool_calls, *call("mail", "two").tool_calls])

    assert [each["id"] for each in open_calls([HumanMessage("go"), both])] == ["one", "two"]
    assert [each["id"] for each in open_calls([both, ToolMessage("paid", tool_call_id="one")])] == ["two"]
    assert open_calls([HumanMessage("go"), AIMessage("no calls")]) == []
