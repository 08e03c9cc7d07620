"""AgentWorkflow: one run of an agent, from its input to its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from temporalio import workflow
from temporalio.common import RawValue

from activities.sizes import packed
from agents.citation import Citation
from agents.errors import InvalidInput
from agents.exchange import graph_input, output_of, what_leaves
from workflows.continuation import carried_in, restore
from workflows.contracts import AGENT_WORKFLOW, AgentInput, AgentResult, explain
from workflows.failures import failing_the_run
from workflows.fork import begin_fork, fork_in, origin_line
from workflows.host import RunHost, open_run
from workflows.input import NO_INPUT, read_input
from workflows.saga import undone_on_failure
from workflows.steps import shorten, unpacked

if TYPE_CHECKING:
    from workflows.fork import Fork
    from workflows.run import Run

EXAMPLE = '{"agent": "research", "input": "How do I set a timer in a workflow?"}'


@workflow.defn(name=AGENT_WORKFLOW)
class AgentWorkflow(RunHost):
    """Start it with one argument, the JSON of an `AgentInput`.

    It is taken raw and read here: what the SDK can't decode fails a workflow task, which the server retries for ever,
    where a bad input must fail the run.
    """

    @workflow.run
    async def run(self, request: RawValue = NO_INPUT) -> AgentResult:
        with failing_the_run():
            carried, fork = carried_in(request), fork_in(request)
            taken_over = carried or fork
            run = self.current = open_run(taken_over.request if taken_over else parse(request))
            workflow.set_current_details("\n\n".join([f"**{run.agent.name}** is at work.", *origin_line()]))
            async with undone_on_failure(run):
                first = restore(run, carried) if carried else await _first(run, fork)
                run.events.begin(run.agent.name, continued=carried is not None)
                result = result_of(run, await self._run_to_end(run, first))
            run.events.tell("result", **told_result(result))
            workflow.set_current_details("\n\n".join([details(result), *origin_line()]))
        return result


async def _first(run: Run, fork: Fork | None) -> Any:
    return await begin_fork(run, fork) if fork else graph_input(run.graph, run.request.input)


def parse(raw: RawValue) -> AgentInput:
    try:
        given = AgentInput.model_validate(read_input(raw))
    except ValidationError as error:
        raise InvalidInput(f"The input of a run is off: {explain(error)}. Expected, for example: {EXAMPLE}") from None
    if isinstance(given.input, str) and not given.input.strip():
        raise InvalidInput(f"The input for agent {given.agent!r} is empty. Ask it something: {EXAMPLE}")
    return given


def result_of(run: Run, state: Any) -> AgentResult:
    output = output_of(what_leaves(run.graph, state))
    return _readable(AgentResult(agent=run.agent.name, output=output, citations=_citations(state), usage=run.usage))


def _citations(state: Any) -> list[Citation]:
    """Those of a state whose `citations` are ours; an author may mean something else by the word."""
    found = state.get("citations") if isinstance(state, dict) else None
    return [each for each in found if isinstance(each, Citation)] if isinstance(found, list) else []


def told_result(result: AgentResult) -> dict[str, Any]:
    told = {"output": result.output, "citations": result.citations}
    return {"status": "completed", "execution": workflow.info().first_execution_run_id, **told}


def _readable(result: AgentResult) -> AgentResult:
    """What no client could read, or Temporal would not take, fails here."""
    what = "The result of the run"
    unpacked(packed(result, what, workflow.payload_converter()), what, AgentResult)
    return result


def details(result: AgentResult) -> str:
    """The run as its page in the web UI shows it: markdown."""
    answer = result.output if isinstance(result.output, str) else f"```json\n{result.output}\n```"
    sources = [
        f"{citation.marker}. {citation.document}, {citation.section}: “{shorten(citation.quote)}”"
        for citation in result.citations
    ]
    return "\n\n".join([f"**{result.agent}**", answer[:4_000], "\n".join(sources)])
