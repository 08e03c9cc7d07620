"""Starts agents and follows their runs from Python. Runs anywhere outside workflows.

settings = read_settings()
agents = await open_agents(settings)
run = await agents.start("research", "How do I set a timer in a workflow?")
async for step in run.steps(): ...
result = await run.result()
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import secrets
import time
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from temporalio.client import Client, WorkflowFailureError, WorkflowQueryFailedError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.publishing import NoTransport
from agents.errors import FatalError, InvalidInput, PayloadMissing, RetryableError
from temporal import travel
from temporal.converter import data_converter
from temporal.events import Watch
from temporal.outcome import failed_run
from temporal.progress import waits_for_worker, watch_steps
from temporal.settings import read_environment
from temporal.streams import event_transport
from temporal.target import Target, find_target
from temporal.threads import Thread
from workflows.contracts import (
    AGENT_WORKFLOW,
    INGEST_WORKFLOW,
    QUESTIONS,
    AgentInput,
    AgentResult,
    IngestInput,
    IngestProgress,
    IngestResult,
    Question,
    explain,
)
from workflows.state import MOST_TOLD
from workflows.steps import shorten
from workflows.turns import IDLE_SECONDS, THREAD_WORKFLOW, ThreadInput

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator
    from contextlib import AbstractContextManager

    from temporalio.runtime import Runtime

    from activities.events import Event
    from activities.publishing import EventTransport
    from temporal.settings import Settings
    from temporal.steps import Step
    from workflows.rewinding import Rewound
    from workflows.state import RunState, StateHistory
    from workflows.turns import Policy

CONNECT_TIMEOUT = 4.0
EXIT_PAUSE = 0.05
"""Seconds. Temporal's threads need some microseconds."""

SUMMARY_CHARACTERS = 80
_UNREACHABLE = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)
_REFUSED = (RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.PERMISSION_DENIED)


class ServerUnreachable(RetryableError):
    pass


class ServerRefused(FatalError):
    pass


class UnknownRun(FatalError):
    pass


class RunExists(InvalidInput):
    pass


async def connect(target: Target, *, runtime: Runtime | None = None) -> Client:
    """A client of the server at `target`. Raises ServerUnreachable within seconds, or ServerRefused."""
    _pause_at_exit()
    with explained(target):
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                return await Client.connect(
                    target.address,
                    namespace=target.namespace,
                    data_converter=data_converter(target.storage, target.namespace),
                    connect_timeout=timedelta(seconds=CONNECT_TIMEOUT),
                    runtime=runtime,
                    **target.options,
                )
        except (RuntimeError, TimeoutError, ValueError) as error:
            raise _unreachable(target, str(error)) from None


@functools.cache
def _pause_at_exit() -> None:
    """Lets Temporal's threads finish what they deliver before the interpreter ends, once per process.

    A thread of theirs that waits for the interpreter while it shuts down is ended in the middle of native code, and the
    whole process crashes: before Python 3.14, one in three short scripts does so on a busy machine.
    """
    atexit.register(time.sleep, EXIT_PAUSE)


async def open_agents(settings: Settings) -> Agents:
    """The agents of the server that the settings and the environment name."""
    target = find_target(settings, read_environment())
    transport = event_transport(settings, target.namespace)
    return Agents(await connect(target), target, settings.task_queue, transport)


@dataclass(frozen=True, slots=True)
class Run:
    """One execution: `id` is its workflow id, `kind` the name of its workflow."""

    id: str
    client: Client
    target: Target
    task_queue: str
    kind: str = AGENT_WORKFLOW
    transport: EventTransport | None = None

    @property
    def url(self) -> str | None:
        """Its page in Temporal's web UI, where the UI is known."""
        return self.target.url_of(self.id)

    async def result(self) -> AgentResult:
        """Waits for the end. Raises RunFailed where the run ended without a result."""
        return AgentResult.model_validate(await self._outcome())

    async def ingested(self) -> IngestResult:
        """Waits for the end of an ingestion."""
        return IngestResult.model_validate(await self._outcome())

    async def ingest_progress(self) -> IngestProgress | None:
        """How far an ingestion is; None while no worker answers for it."""
        handle = self.client.get_workflow_handle(self.id)
        try:
            progress: IngestProgress = await handle.query(
                "progress", result_type=IngestProgress, rpc_timeout=timedelta(seconds=2)
            )
        except (RPCError, WorkflowQueryFailedError):
            return None
        return progress

    async def steps(self) -> AsyncIterator[Step]:
        """Every change of every step, from the beginning of the run to its end."""
        with explained(self.target, self.id):
            async for step in watch_steps(self.client, self.id):
                yield step

    async def events(self, after: str | None = None, *, values: bool = False) -> AsyncGenerator[Event]:
        """What the run tells, from after the event with the id `after`, to its result.

        Without an `after` it begins with the run's beginning, or with a snapshot where that is no longer kept. `values`
        adds the state after each update.
        """
        watch = Watch(self, self.transport or NoTransport(), after=after, values=values)
        with explained(self.target, self.id):
            async with aclosing(watch.events()) as events:
                async for event in events:
                    yield event

    async def questions(self) -> list[Question]:
        """The interrupts that wait for an answer. A question is told once it is recorded, and can be answered then."""
        with explained(self.target, self.id):
            handle = self.client.get_workflow_handle(self.id)
            recorded = (await handle.describe()).typed_search_attributes.get(QUESTIONS)
            if not recorded:
                return []
            try:
                asked: list[Question] = await handle.query(
                    "questions", result_type=list[Question], rpc_timeout=timedelta(seconds=2)
                )
            except (RPCError, WorkflowQueryFailedError):  # no worker answers for it at the moment
                return []
        is_recorded = any(question.id in recorded for question in asked)  # of many, the attribute has the first alone
        return asked if is_recorded else []

    async def state(self, checkpoint: str | None = None) -> RunState:
        """The state as of a checkpoint, its newest unasked. Raises `CheckpointPruned`."""
        with explained(self.target, self.id):
            return await travel.state_of(self, checkpoint)

    async def history(self, most: int = MOST_TOLD) -> StateHistory:
        """The checkpoints that are kept, and the last supersteps, with what they did and cost."""
        with explained(self.target, self.id):
            return await travel.history_of(self, most)

    async def rewind(self, *, turn: str | None = None, checkpoint: str | None = None) -> Rewound:
        """Takes a thread back to before a turn, or to a checkpoint between two turns. What tools did stays."""
        with explained(self.target, self.id):
            return await travel.rewind(self, turn=turn, checkpoint=checkpoint)

    async def waits_for_worker(self) -> bool:
        """Whether something is ready to be done that no worker has taken up at this moment."""
        with explained(self.target, self.id):
            return await waits_for_worker(self.client, self.id)

    async def returned(self) -> Any:
        """Waits for the end of a workflow of any kind, and gives what it returned, as JSON."""
        return await self._outcome()

    async def _outcome(self) -> Any:
        with explained(self.target, self.id):
            try:
                return await self.client.get_workflow_handle(self.id).result()
            except WorkflowFailureError as error:
                raise failed_run(self.id, error) from error
            except ApplicationError as error:  # not the run's, which would come wrapped: its result can't be read
                raise PayloadMissing(error.message) from None


@dataclass(frozen=True, slots=True)
class Agents:
    """Starts runs on `task_queue`, and finds those that were started before."""

    client: Client
    target: Target
    task_queue: str
    transport: EventTransport | None = None

    async def start(
        self,
        agent: str,
        question: Any,
        *,
        run_id: str | None = None,
        context: dict[str, Any] | None = None,
        tenant: str | None = None,
        user: str | None = None,
        model: str | None = None,
    ) -> Run:
        """`question` is a text, or the JSON that the agent's graph takes. A `run_id` is used once and never again.

        `context` becomes `runtime.context`, where the graph has a `context_schema`. `tenant` and `user` say for whom
        the run is, and so which memories it has. `model` takes the place of all models that the agent asks for.
        """
        try:
            given = AgentInput(agent=agent, input=question, context=context, tenant=tenant, user=user, model=model)
        except ValidationError as error:
            raise InvalidInput(f"Agent {agent!r} can't be given this: {explain(error)}.") from None
        if isinstance(question, str) and not question.strip():
            raise InvalidInput(f"The question for agent {agent!r} is empty. Ask it something.")
        return await self._start(AGENT_WORKFLOW, given, run_id or f"{agent}-{secrets.token_hex(4)}")

    def thread(
        self,
        agent: str,
        thread_id: str | None = None,
        *,
        policy: Policy = "enqueue",
        idle: float = IDLE_SECONDS,
        context: dict[str, Any] | None = None,
        tenant: str | None = None,
        user: str | None = None,
    ) -> Thread:
        """The conversation of that id, which begins with its first turn; without an id, a new one.

        `policy` says what becomes of a turn that is sent while another one runs, `idle` after how many seconds without
        any the thread ends by itself. Both are for a thread that is not there yet. One that is there, of another agent,
        `tenant` or `user`, takes no turn from here.
        """
        try:
            start = ThreadInput(agent=agent, policy=policy, idle=idle, context=context, tenant=tenant, user=user)
        except ValidationError as error:
            raise InvalidInput(f"A thread of agent {agent!r} can't be started so: {explain(error)}.") from None
        return Thread(self, thread_id or f"{agent}-{secrets.token_hex(4)}", start)

    async def find_thread(self, thread_id: str) -> Thread:
        """The thread of that id, whoever started it. Raises UnknownRun."""
        run = await self.find(thread_id)
        if run.kind != THREAD_WORKFLOW:
            raise InvalidInput(f"{thread_id!r} is of type {run.kind}, and no thread.")
        return Thread(self, thread_id)

    def run(self, run_id: str, kind: str) -> Run:
        return Run(run_id, self.client, self.target, self.task_queue, kind, self.transport)

    def explained(self, run_id: str | None = None) -> AbstractContextManager[None]:
        """Turns gRPC's errors into ours."""
        return explained(self.target, run_id)

    async def fork(
        self,
        run_id: str,
        *,
        checkpoint: str | None = None,
        state: Any = None,
        as_node: str | None = None,
        input: Any = None,  # noqa: A002 -- what a run calls it
        agent: str | None = None,
        model: str | None = None,
        context: dict[str, Any] | None = None,
        fork_id: str | None = None,
        repeat_effects: bool = False,
    ) -> Run:
        """A new run that begins at a checkpoint of another, its newest unasked, with what is to be otherwise.

        Raises `CheckpointPruned`, or `EffectsWouldRepeat` where tools changed something after it, unless
        `repeat_effects`. `temporal.travel.Change` says what the others are.
        """
        source = await self.find(run_id)
        change = travel.Change(state, as_node, input, agent, model, context)
        with explained(self.target, run_id):
            return await travel.fork_of(self, source, checkpoint, change, run_id=fork_id, repeat_effects=repeat_effects)

    async def ingest(self, given: IngestInput) -> Run:
        """One ingestion at a time fills a collection."""
        identifier = f"ingest-{given.collection}"
        return await self._start(INGEST_WORKFLOW, given, identifier, WorkflowIDReusePolicy.ALLOW_DUPLICATE)

    async def find(self, run_id: str) -> Run:
        """The run of that id, whoever started it. Raises UnknownRun."""
        with explained(self.target, run_id):
            description = await self.client.get_workflow_handle(run_id).describe()
        return Run(run_id, self.client, self.target, description.task_queue, description.workflow_type, self.transport)

    async def events(self, run_id: str, after: str | None = None, *, values: bool = False) -> AsyncGenerator[Event]:
        """What the run of that id tells, as `Run.events` does. Raises UnknownRun."""
        run = await self.find(run_id)
        async with aclosing(run.events(after, values=values)) as events:
            async for event in events:
                yield event

    async def _start(
        self,
        workflow: str,
        given: AgentInput | IngestInput,
        identifier: str,
        reuse: WorkflowIDReusePolicy = WorkflowIDReusePolicy.REJECT_DUPLICATE,
    ) -> Run:
        argument = given.model_dump(mode="json", exclude_none=True)
        return await self.begin(workflow, argument, identifier, summary=_summary(given), reuse=reuse)

    async def begin(
        self,
        workflow: str,
        argument: Any,
        identifier: str,
        *,
        summary: str,
        reuse: WorkflowIDReusePolicy = WorkflowIDReusePolicy.REJECT_DUPLICATE,
        memo: dict[str, Any] | None = None,
        task_queue: str | None = None,
    ) -> Run:
        """Starts a workflow of Perdure's. Raises `RunExists`."""
        with explained(self.target):
            try:
                await self.client.start_workflow(
                    workflow,
                    argument,
                    id=identifier,
                    task_queue=task_queue or self.task_queue,
                    id_reuse_policy=reuse,
                    static_summary=summary,
                    memo=memo,
                )
            except WorkflowAlreadyStartedError:
                raise RunExists(
                    f"There is a run {identifier!r} already. Follow it with `perdure result {identifier}`, or choose "
                    "another id."
                ) from None
        return Run(identifier, self.client, self.target, task_queue or self.task_queue, workflow, self.transport)


def _summary(given: AgentInput | IngestInput) -> str:
    """What the web UI shows of a run beside its id."""
    match given:
        case IngestInput():
            return f"{given.source.kind} → {given.collection}"
        case AgentInput(input=str() as question):
            return shorten(question)
        case AgentInput():
            return given.agent


@contextmanager
def explained(target: Target, run: str | None = None) -> Iterator[None]:
    """Turns gRPC's errors into ours."""
    try:
        yield
    except RPCError as error:
        if error.status in _UNREACHABLE or "transport error" in error.message:
            raise _unreachable(target, error.message) from None
        if error.status in _REFUSED:
            raise ServerRefused(
                f"Temporal at {target.address} refused the connection: {error.message}. "
                "Check TEMPORAL_API_KEY, TEMPORAL_NAMESPACE and the TEMPORAL_TLS_… variables."
            ) from None
        if error.status is RPCStatusCode.NOT_FOUND and run and "namespace" not in error.message.lower():
            raise UnknownRun(
                f"There is no run {run!r} in namespace {target.namespace!r} at {target.address}. "
                f"`temporal workflow list --address {target.address}` shows those there are."
            ) from None
        raise ServerRefused(f"Temporal at {target.address} said: {error.message}.") from None


def _unreachable(target: Target, reason: str) -> ServerUnreachable:
    return ServerUnreachable(
        f"No Temporal server answers at {target.address} ({target.origin}): {_briefly(reason)}. "
        "Start one with `perdure dev`, or name another with TEMPORAL_ADDRESS."
    )


def _briefly(reason: str) -> str:
    """Temporal's client is written in Rust and shows its errors whole; these are the usual ones."""
    if "ConnectionRefused" in reason or "Connection refused" in reason:
        return "connection refused"
    if "transport error" in reason:
        return "the connection broke off"
    if "dns error" in reason:
        return "its name can't be resolved"
    if "get_system_info" in reason:
        return "what answers there is no Temporal server"
    return reason.rstrip(".") or f"nothing came back within {CONNECT_TIMEOUT:.0f} s"
