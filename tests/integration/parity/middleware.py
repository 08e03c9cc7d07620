"""LangChain's agent with every middleware that LangChain ships, but those that do I/O of their own."""

from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import (
    ClearToolUsesEdit,
    ContextEditingMiddleware,
    LLMToolEmulator,
    LLMToolSelectorMiddleware,
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    PIIMiddleware,
    ProviderToolSearchMiddleware,
    SummarizationMiddleware,
    TodoListMiddleware,
    ToolCallLimitMiddleware,
    ToolErrorMiddleware,
    ToolRetryMiddleware,
)
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatResult
from langchain_core.tools import tool

from agents import StepOptions
from agents.testing import call
from tests.integration.cases import add, look_up, multiply, two_calls
from tests.integration.parity.case import Case

ONCE = {"model_step": StepOptions(attempts=1), "tool_step": StepOptions(attempts=1)}
ADDING = [call("add", a=1, b=2), AIMessage("Three.")]
LONG = [("user", "Hello."), ("ai", "Hello."), ("user", "How are you?"), ("ai", "Well."), ("user", "Add.")]
TWICE = [call("add", "one", a=1, b=2), call("add", "two", a=3, b=4), AIMessage("Three and seven.")]


class Broken(BaseChatModel):
    """A model that never answers."""

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        raise ValueError(f"no answer to {len(messages)} messages")

    def bind_tools(self, _tools: Any, **_options: Any) -> Any:
        return self

    @property
    def _llm_type(self) -> str:
        return "broken"


@tool
def fragile(text: str) -> str:
    """Break."""
    raise ValueError(f"broken {text}")


def with_middleware(name: str, *tools: Any, script: Any, make: Any, given: Any = "please", **options: Any) -> Case:
    """`make` makes the middleware from the resources."""

    def build(resources: Any) -> Any:
        return create_agent(resources.model(), resources.tools, middleware=make(resources))

    return Case(name, build, given, script, tools=tools, **options)


def approving(request: dict[str, Any]) -> dict[str, Any]:
    """Approves, edits, rejects and answers for the tool, in turn."""
    edited = {"type": "edit", "edited_action": {"name": "add", "args": {"a": 40, "b": 2}}}
    kinds = [{"type": "approve"}, edited, {"type": "reject", "message": "no"}, {"type": "respond", "message": "mine"}]
    return {"decisions": kinds[: len(request["action_requests"])]}


def asked_for_approval(_resources: Any) -> list[Any]:
    from langchain.agents.middleware import HumanInTheLoopMiddleware  # noqa: PLC0415

    return [HumanInTheLoopMiddleware({"add": True})]


def adding(*ids: str) -> AIMessage:
    return AIMessage("", tool_calls=[each for name in ids for each in call("add", name, a=1, b=1).tool_calls])


CASES = [
    with_middleware(
        "todo-list",
        script=[call("write_todos", todos=[{"content": "think", "status": "pending"}]), AIMessage("Planned.")],
        make=lambda _: [TodoListMiddleware()],
    ),
    with_middleware(
        "model-call-limit",
        add,
        script=TWICE,
        make=lambda _: [ModelCallLimitMiddleware(run_limit=2)],
        steps=["call_model", "add"] * 2,
    ),
    with_middleware(
        "model-call-limit-error",
        add,
        script=TWICE,
        make=lambda _: [ModelCallLimitMiddleware(thread_limit=2, exit_behavior="error")],
        fails="ModelCallLimitExceededError",
    ),
    with_middleware(
        "tool-call-limit",
        add,
        script=TWICE,
        make=lambda _: [ToolCallLimitMiddleware(run_limit=1)],
        steps=["call_model", "add", "call_model", "call_model"],
    ),
    with_middleware(
        "tool-call-limit-end",
        add,
        script=TWICE,
        make=lambda _: [ToolCallLimitMiddleware(tool_name="add", run_limit=1, exit_behavior="end")],
    ),
    with_middleware(
        "tool-call-limit-error",
        add,
        script=TWICE,
        make=lambda _: [ToolCallLimitMiddleware(run_limit=1, exit_behavior="error")],
        fails="ToolCallLimitExceededError",
    ),
    with_middleware(
        "model-fallback",
        add,
        script=[],
        make=lambda resources: [ModelFallbackMiddleware(resources.model("second"))],
        models={"second": ADDING},
        options=ONCE,
    ),
    with_middleware(
        "model-retry",
        script=[],
        make=lambda _: [ModelRetryMiddleware(max_retries=2, initial_delay=0.01, jitter=False)],
        options=ONCE,
        steps=["call_model"] * 3,
    ),
    with_middleware(
        "model-retry-error",
        script=[],
        make=lambda _: [ModelRetryMiddleware(max_retries=1, initial_delay=0.01, on_failure="error")],
        options=ONCE,
        fails="AssertionError",
    ),
    with_middleware(
        "tool-retry",
        fragile,
        script=[call("fragile", text="x"), AIMessage("It broke.")],
        make=lambda _: [ToolRetryMiddleware(max_retries=2, initial_delay=0.01, jitter=False)],
        options=ONCE,
        steps=["call_model", "fragile", "fragile", "fragile", "call_model"],
    ),
    with_middleware(
        "tool-error",
        fragile,
        script=[call("fragile", text="x"), AIMessage("It broke.")],
        make=lambda _: [ToolErrorMiddleware(lambda error, request: f"{request.tool_call['name']}: {error}")],
        options=ONCE,
    ),
    with_middleware(
        "pii-redacted", add, script=ADDING, given="I am ada@example.org", make=lambda _: [PIIMiddleware("email")]
    ),
    with_middleware(
        "pii-masked",
        look_up,
        script=[call("look_up", word="4111 1111 1111 1111"), AIMessage("10.0.0.1 has it")],
        make=lambda _: [
            PIIMiddleware("credit_card", strategy="mask", apply_to_tool_results=True),
            PIIMiddleware("ip", strategy="hash", apply_to_output=True),
        ],
    ),
    with_middleware(
        "pii-blocked",
        script=ADDING,
        given="I am ada@example.org",
        make=lambda _: [PIIMiddleware("email", strategy="block")],
        fails="PIIDetectionError",
    ),
    with_middleware(
        "summarization",
        add,
        script=ADDING,
        given=[{"role": role, "content": text} for role, text in LONG],
        make=lambda resources: [
            SummarizationMiddleware(resources.model("summarizer"), trigger=("messages", 5), keep=("messages", 1))
        ],
        models={"summarizer": [AIMessage("unused"), AIMessage("unused"), AIMessage("They greeted.")]},
        steps=["call_model", "call_model", "add", "call_model"],
    ),
    with_middleware(
        "context-editing",
        add,
        script=TWICE,
        make=lambda _: [ContextEditingMiddleware(edits=[ClearToolUsesEdit(trigger=1, keep=1)])],
    ),
    with_middleware(
        "tool-selector",
        add,
        multiply,
        script=ADDING,
        make=lambda resources: [LLMToolSelectorMiddleware(model=resources.model("selector"), max_tools=1)],
        models={"selector": [call("ToolSelectionResponse", tools=["add"])]},
        steps=["call_model", "call_model", "add", "call_model", "call_model"],
    ),
    with_middleware(
        "tool-emulator",
        add,
        multiply,
        script=[two_calls(), AIMessage("Done.")],
        make=lambda resources: [LLMToolEmulator(tools=["add"], model=resources.model("emulator"))],
        models={"emulator": [AIMessage("about three")]},
        steps=["call_model", "call_model", "multiply", "call_model"],
    ),
    with_middleware("provider-tool-search", add, script=ADDING, make=lambda _: [ProviderToolSearchMiddleware()]),
    with_middleware(
        "human-in-the-loop",
        add,
        script=[adding("one", "two", "three", "four"), AIMessage("Done.")],
        make=asked_for_approval,
        answer=approving,
        steps=["call_model", "add", "add", "call_model"],
    ),
]
