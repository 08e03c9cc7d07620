from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent, WorkflowTaskFailedEventAttributes

from temporal.converter import DATA_CONVERTER
from temporal.steps import Ledger


async def test_a_task_that_failed_for_nondeterminism_says_what_finds_the_node() -> None:
    cause = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
    failed = WorkflowTaskFailedEventAttributes(cause=cause, failure=Failure(message="Nondeterminism error"))

    step = await Ledger(DATA_CONVERTER).note_event(
        HistoryEvent(event_id=5, workflow_task_failed_event_attributes=failed)
    )

    assert step is not None
    assert (step.activity, step.state) == ("workflow", "retrying")
    assert (step.error or "").startswith("Nondeterminism error. ")
    assert "perdure check" in (step.error or "")
