import sys
from pathlib import Path

import pytest

from temporal.dev.errors import ChildCrashedError, NotReadyError, PortLostError
from temporal.dev.process import Child, Command

SLEEP = "import time; time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); " + SLEEP


def python(code: str, log: Path, *, environment: dict[str, str] | None = None) -> Command:
    return Command(
        name="The test's child",
        arguments=(sys.executable, "-I", "-S", "-c", code),
        environment=environment or {},
        log=log,
    )


async def never():
    return False


@pytest.fixture
def log(tmp_path):
    return tmp_path / "logs" / "child.log"


async def test_a_childs_output_goes_to_its_log(log):
    child = await Child.start(python("import sys; print('out'); sys.stderr.write('err')", log))

    assert await child.wait() == 0

    assert sorted(log.read_text().split()) == ["err", "out"]


async def test_the_log_of_the_start_before_is_kept(log):
    for line in ("first", "second"):
        await (await Child.start(python(f"print({line!r})", log))).wait()

    assert log.read_text() == "second\n"
    assert log.with_name("child.log.1").read_text() == "first\n"


async def test_a_child_sees_only_the_environment_that_it_is_given(log, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")

    child = await Child.start(python("import os; print(os.environ)", log, environment={"GIVEN": "yes"}))
    await child.wait()

    assert "GIVEN" in log.read_text()
    assert "secret" not in log.read_text()


async def test_an_end_before_ready_is_reported_with_the_last_lines_of_the_log(log):
    child = await Child.start(python("[print(f'line {n}') for n in range(40)]; raise SystemExit(3)", log))

    with pytest.raises(ChildCrashedError) as caught:
        await child.ready(never, within=60)

    assert "ended by itself with exit code 3" in str(caught.value)
    assert str(log) in str(caught.value)
    assert "line 25\n" in str(caught.value)
    assert "line 24\n" not in str(caught.value)


async def test_an_end_is_reported_even_if_somebody_deleted_the_log(log):
    child = await Child.start(python("raise SystemExit(3)", log))
    await child.wait()

    log.unlink()

    assert "ended by itself with exit code 3" in str(child.crash())


async def test_a_lost_port_is_told_apart_from_other_ends(log):
    child = await Child.start(python("raise SystemExit('listen: bind: address already in use')", log))

    with pytest.raises(PortLostError):
        await child.ready(never, within=60)


async def test_a_lost_port_is_found_before_a_long_trace(log):
    trace = "import sys; sys.exit('panic: bind: address already in use' + chr(10) + 40 * ('at somewhere' + chr(10)))"
    child = await Child.start(python(trace, log))

    with pytest.raises(PortLostError):
        await child.ready(never, within=60)


async def test_a_child_that_is_never_ready_is_reported(log):
    child = await Child.start(python(SLEEP, log))

    with pytest.raises(NotReadyError, match=rf"runs \(pid {child.pid}\) but was not ready"):
        await child.ready(never, within=0)
    await child.stop()


async def test_a_child_that_listens_ends_when_it_is_asked(log):
    child = await Child.start(python(SLEEP, log))

    await child.stop()

    assert child.exit_code == -15


async def test_a_child_that_does_not_listen_is_killed(log):
    child = await Child.start(python(DEAF, log))
    await child.ready(lambda: has_said(log, "deaf"), within=60)

    await child.stop(grace=0)

    assert child.exit_code == -9


async def test_stopping_a_child_that_has_ended_does_nothing(log):
    child = await Child.start(python("", log))
    await child.wait()

    await child.stop()

    assert child.exit_code == 0


async def test_a_program_that_is_not_there_is_named(log):
    nothing = Command(name="Weaviate", arguments=("/no/such/program",), environment={}, log=log)

    with pytest.raises(ChildCrashedError, match=r"Weaviate cannot be started: .*'/no/such/program'"):
        await Child.start(nothing)


async def has_said(log: Path, word: str) -> bool:
    return word in log.read_text()
