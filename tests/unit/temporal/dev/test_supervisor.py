import asyncio
import os
import signal
import sys

import pytest

from temporal.dev.errors import ChildCrashedError, NotReadyError
from temporal.dev.lock import LOCK_NAME, hold_state, is_held
from temporal.dev.process import Command
from temporal.dev.supervisor import Supervisor

SLEEP = "import time; time.sleep(600)"


@pytest.fixture
async def supervisor(tmp_path):
    async with hold_state(tmp_path) as lock, Supervisor(lock, tmp_path / LOCK_NAME) as opened:
        yield opened


@pytest.fixture
def sleeper(tmp_path):
    return Command(
        name="Sleeper",
        arguments=(sys.executable, "-I", "-S", "-c", SLEEP),
        environment={},
        log=tmp_path / "sleeper.log",
    )


async def test_leaving_it_stops_every_child(tmp_path, sleeper):
    async with hold_state(tmp_path) as lock, Supervisor(lock, tmp_path / LOCK_NAME) as supervisor:
        children = [await supervisor.start(sleeper), await supervisor.start(sleeper)]

    assert [child.exit_code for child in children] == [-signal.SIGTERM, -signal.SIGTERM]
    assert not is_held(tmp_path)


async def test_leaving_it_ends_what_the_children_left_behind(tmp_path):
    grandchild = tmp_path / "grandchild"
    spawn = (
        f"import pathlib, subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {SLEEP!r}]);"
        f"pathlib.Path({str(grandchild)!r}).write_text(str(child.pid)); import os; os._exit(0)"
    )
    parent = Command(
        name="Parent", arguments=(sys.executable, "-c", spawn), environment={}, log=tmp_path / "parent.log"
    )

    async with hold_state(tmp_path) as lock, Supervisor(lock, tmp_path / LOCK_NAME) as supervisor:
        await (await supervisor.run(parent)).wait()

    await gone(int(grandchild.read_text()))


async def test_a_killed_child_is_reported_with_its_name(supervisor, sleeper):
    child = await supervisor.start(sleeper)

    os.kill(child.pid, signal.SIGKILL)
    crash = await supervisor.crashed()

    assert isinstance(crash, ChildCrashedError)
    assert f"Sleeper (pid {child.pid}) was killed by SIGKILL" in str(crash)


async def test_a_child_that_its_owner_ends_is_no_crash(supervisor, sleeper):
    killed, stopped, last = [await supervisor.start(sleeper) for _ in range(3)]

    killed.kill()
    await stopped.stop()
    await killed.wait()
    os.kill(last.pid, signal.SIGKILL)

    assert f"pid {last.pid}" in str(await supervisor.crashed())


async def test_a_child_that_is_never_ready_is_stopped(supervisor, sleeper):
    async def never():
        return False

    with pytest.raises(NotReadyError):
        await supervisor.start(sleeper, ready=never, within=0)

    assert [child.exit_code for child in supervisor.children] == [-signal.SIGTERM]


async def test_ctrl_c_in_the_terminal_does_not_reach_the_children(supervisor, sleeper):
    child = await supervisor.start(sleeper)

    assert os.getpgid(child.pid) != os.getpgrp()


async def gone(pid: int) -> None:
    """Wait until a process is no more, or dead though nobody has collected its exit code."""
    async with asyncio.timeout(60):
        while await state_of(pid) not in {"", "Z"}:
            await asyncio.sleep(0.02)


async def state_of(pid: int) -> str:
    ps = await asyncio.create_subprocess_exec("ps", "-o", "stat=", "-p", str(pid), stdout=asyncio.subprocess.PIPE)
    said, _ = await ps.communicate()
    return said.decode()[:1]
