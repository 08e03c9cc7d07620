"""Graphs that everybody knows from LangGraph's pages: their nodes await the model, and nothing else is changed."""

import operator
from typing import Annotated, Any, Literal, TypedDict

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command
from pydantic import BaseModel, Field

from agents.testing import ScriptedModel, call
from tests.integration.cases import add, multiply
from tests.integration.parity.case import Case


@tool
def retrieve_posts(query: str) -> str:
    """Search the posts."""
    return f"A post about {query}."


def calculator(resources: Any) -> Any:
    """A model and its tools in a loop, both by hand, with a conditional edge between them."""

    class Calculation(TypedDict):
        messages: Annotated[list[AnyMessage], operator.add]
        llm_calls: int

    tools_by_name = {tool.name: tool for tool in resources.tools}
    model_with_tools = resources.model().bind_tools(resources.tools)

    async def llm_call(state: dict) -> Any:
        said = await model_with_tools.ainvoke([SystemMessage("You do arithmetic."), *state["messages"]])
        return {"messages": [said], "llm_calls": state.get("llm_calls", 0) + 1}

    async def tool_node(state: dict) -> Any:
        result = []
        for tool_call in state["messages"][-1].tool_calls:
            observation = await tools_by_name[tool_call["name"]].ainvoke(tool_call["args"])
            result.append(ToolMessage(content=str(observation), tool_call_id=tool_call["id"]))
        return {"messages": result}

    def should_continue(state: Calculation) -> Literal["tool_node", "__end__"]:
        return "tool_node" if state["messages"][-1].tool_calls else END

    graph = StateGraph(Calculation).add_node("llm_call", llm_call).add_node("tool_node", tool_node)
    graph.add_edge(START, "llm_call").add_edge("tool_node", "llm_call")
    return graph.add_conditional_edges("llm_call", should_continue, ["tool_node", END]).compile()


class Plan(BaseModel):
    """Plan to follow."""

    steps: list[str] = Field(description="Steps to follow, in order.")


class Response(BaseModel):
    """Response to the user."""

    response: str


class Act(BaseModel):
    """Action to perform."""

    action: Response | Plan


def plan_and_execute(resources: Any) -> Any:
    """A plan as structured output, an agent for each step, and a new plan after each."""

    class PlanExecute(TypedDict, total=False):
        input: str
        plan: list[str]
        past_steps: Annotated[list[tuple], operator.add]
        response: str

    executor = create_agent(resources.model("executor"), resources.tools)
    planning = ChatPromptTemplate.from_messages([("system", "Make a plan."), ("placeholder", "{messages}")])
    planner = planning | resources.model("planner").with_structured_output(Plan)
    replanning = ChatPromptTemplate.from_template("Objective: {input}\nPlan: {plan}\nDone: {past_steps}")
    replanner = replanning | resources.model("replanner").with_structured_output(Act)

    async def plan_step(state: PlanExecute) -> Any:
        plan = await planner.ainvoke({"messages": [("user", state["input"])]})
        return {"plan": plan.steps}

    async def execute_step(state: PlanExecute) -> Any:
        task = state["plan"][0]
        answer = await executor.ainvoke({"messages": [("user", f"You are to execute: {task}.")]})
        return {"past_steps": [(task, answer["messages"][-1].content)]}

    async def replan_step(state: PlanExecute) -> Any:
        output = await replanner.ainvoke(state)
        if isinstance(output.action, Response):
            return {"response": output.action.response}
        return {"plan": output.action.steps}

    graph = StateGraph(PlanExecute)
    graph.add_node("planner", plan_step).add_node("agent", execute_step).add_node("replan", replan_step)
    graph.add_edge(START, "planner").add_edge("planner", "agent").add_edge("agent", "replan")
    return graph.add_conditional_edges("replan", lambda state: END if state.get("response") else "agent")


def reflection(resources: Any) -> Any:
    """One model writes, another sees the conversation with its roles exchanged and criticises."""

    class State(TypedDict):
        messages: Annotated[list, add_messages]

    def prompted(text: str, model: Any) -> Any:
        return ChatPromptTemplate.from_messages([("system", text), MessagesPlaceholder("messages")]) | model

    generate = prompted("You write essays.", resources.model())
    reflect = prompted("You grade essays.", resources.model("teacher"))

    async def generation_node(state: State) -> State:
        return {"messages": [await generate.ainvoke({"messages": state["messages"]})]}

    async def reflection_node(state: State) -> State:
        kinds = {"ai": HumanMessage, "human": AIMessage}
        first, *others = state["messages"]
        translated = [first, *(kinds[message.type](content=message.content) for message in others)]
        answer = await reflect.ainvoke({"messages": translated})
        return {"messages": [HumanMessage(content=answer.content)]}

    graph = StateGraph(State).add_node("generate", generation_node).add_node("reflect", reflection_node)
    graph.add_edge(START, "generate").add_edge("reflect", "generate")
    return graph.add_conditional_edges("generate", lambda state: END if len(state["messages"]) > 4 else "reflect")


class Router(TypedDict):
    """Worker to route to next. If no workers are needed, route to FINISH."""

    next: Literal["researcher", "coder", "FINISH"]


class Routing(ScriptedModel):
    """Asks each worker once."""

    def _answer(self, messages: list[BaseMessage]) -> AIMessage:
        asked = {message.name for message in messages}
        return call("Router", next=next((name for name in ("coder", "researcher") if name not in asked), "FINISH"))


def supervisor(resources: Any) -> Any:
    """A model says by structured output which agent is next."""

    class State(MessagesState):
        next: str

    adding, multiplying = resources.tools
    agents = {
        "researcher": create_agent(resources.model("researcher"), [adding]),
        "coder": create_agent(resources.model("coder"), [multiplying]),
    }

    async def supervise(state: State) -> Command[Literal["researcher", "coder", "__end__"]]:
        messages = [{"role": "system", "content": "You manage a researcher and a coder."}, *state["messages"]]
        answer = await resources.model("router").with_structured_output(Router).ainvoke(messages)
        goto = END if answer["next"] == "FINISH" else answer["next"]
        return Command(goto=goto, update={"next": goto})

    def working(name: str) -> Any:
        async def work(state: State) -> Command[Literal["supervisor"]]:
            result = await agents[name].ainvoke(state)
            said = HumanMessage(content=result["messages"][-1].content, name=name)
            return Command(update={"messages": [said]}, goto="supervisor")

        return work

    graph = StateGraph(State).add_node("supervisor", supervise).add_edge(START, "supervisor")
    for name in agents:
        graph.add_node(name, working(name), destinations=("supervisor",))
    return graph


class GradeDocuments(BaseModel):
    """Grade documents for relevance."""

    binary_score: Literal["yes", "no"]


def graded_retrieval(resources: Any) -> Any:
    """A conditional edge asks a model whether what was found is any good, and the question is written anew."""
    model = resources.model().bind_tools(resources.tools)

    async def generate_query_or_respond(state: MessagesState) -> Any:
        return {"messages": [await model.ainvoke(state["messages"])]}

    async def grade_documents(state: MessagesState) -> Literal["generate_answer", "rewrite_question"]:
        grader = resources.model("grader").with_structured_output(GradeDocuments)
        score = await grader.ainvoke([{"role": "user", "content": f"Good? {state['messages'][-1].content}"}])
        return "generate_answer" if score.binary_score == "yes" else "rewrite_question"

    async def rewrite_question(state: MessagesState) -> Any:
        answer = await resources.model("writer").ainvoke(f"Rewrite: {state['messages'][0].content}")
        return {"messages": [HumanMessage(content=answer.content)]}

    async def generate_answer(state: MessagesState) -> Any:
        return {"messages": [await resources.model("answerer").ainvoke(state["messages"][-1].content)]}

    graph = StateGraph(MessagesState).add_node(generate_query_or_respond).add_node(rewrite_question)
    graph.add_node("retrieve", ToolNode(resources.tools)).add_node(generate_answer)
    graph.add_edge(START, "generate_query_or_respond").add_edge("rewrite_question", "generate_query_or_respond")
    graph.add_conditional_edges("generate_query_or_respond", tools_condition, {"tools": "retrieve", END: END})
    return graph.add_conditional_edges("retrieve", grade_documents)


PLANS = {
    "planner": [call("Plan", steps=["multiply", "tell"])],
    "executor": [call("multiply", a=3, b=4), AIMessage("Twelve.")],
    "replanner": [call("Act", action={"response": "It is 12."})],
}
WORKERS = {
    "router": Routing(script=[]),
    "coder": [call("multiply", a=3, b=4), AIMessage("Twelve.")],
    "researcher": [AIMessage("Nothing to add.")],
}
GRADERS = {
    "grader": [call("GradeDocuments", binary_score="yes")],
    "writer": [AIMessage("What is reward hacking?")],
    "answerer": [AIMessage("A flaw that is exploited.")],
}

CASES = [
    Case(
        "known-calculator",
        calculator,
        {"messages": [{"role": "user", "content": "Add 3 and 4."}]},
        [call("add", a=3, b=4), AIMessage("Seven.")],
        [add],
        steps=["call_model", "add", "call_model"],
    ),
    Case(
        "known-plan-and-execute",
        plan_and_execute,
        {"input": "3 * 4?"},
        tools=[multiply],
        models=PLANS,
        steps=["call_model"] * 4 + ["multiply"],
    ),
    Case(
        "known-reflection",
        reflection,
        {"messages": [{"role": "user", "content": "An essay, please."}]},
        [AIMessage("First."), AIMessage("Second."), AIMessage("Third.")],
        models={"teacher": [AIMessage("Better."), AIMessage("Still better.")]},
        steps=["call_model"] * 5,
    ),
    Case(
        "known-supervisor",
        supervisor,
        "3 * 4?",
        tools=[add, multiply],
        models=WORKERS,
        steps=["call_model"] * 6 + ["multiply"],
    ),
    Case(
        "known-graded-retrieval",
        graded_retrieval,
        "What is it?",
        [call("retrieve_posts", query="reward hacking")],
        [retrieve_posts],
        GRADERS,
        steps=["call_model", "retrieve_posts", "call_model", "call_model"],
    ),
]
