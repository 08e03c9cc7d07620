"""Runners of workflows with something around each of their activations. Run in workers."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner

from workflows.determinism import closing_generators

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Activate = Callable[[Any], Any]


class SurroundingRunner(WorkflowRunner):
    """Runs workflows as `inner` does."""

    def __init__(self, inner: WorkflowRunner) -> None:
        self._inner = inner

    def prepare_workflow(self, defn: Any) -> None:
        self._inner.prepare_workflow(defn)

    def set_worker_level_failure_exception_types(self, types: Sequence[type[BaseException]]) -> None:
        self._inner.set_worker_level_failure_exception_types(types)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = self._inner.create_instance(det)
        instance.activate = self.around(instance.activate)  # type: ignore[method-assign, assignment]
        return instance

    @abstractmethod
    def around(self, activate: Activate) -> Activate:
        """What is called in place of `activate`, which belongs to one run."""


class ClosingRunner(SurroundingRunner):
    """Closes asynchronous generators that graph code leaves before their end."""

    def around(self, activate: Activate) -> Activate:
        return closing_generators()(activate)
