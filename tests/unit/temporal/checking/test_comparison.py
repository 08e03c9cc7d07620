from temporal.checking.comparison import findings_of
from temporal.checking.record import Raised, Ran, Seen


def test_what_a_failed_run_said_ends_as_one_sentence() -> None:
    raised = Raised(node="loop", line="mine.py:3", said="ComputedTooLong: It computed for seconds. Move it to a tool.")
    ran = Ran(agent="looping", outcome="failed", seen=Seen(raised=[raised]))

    [finding] = findings_of(ran, [])

    assert finding.said == "The run failed: ComputedTooLong: It computed for seconds. Move it to a tool."
