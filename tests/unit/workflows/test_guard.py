"""The guard acts in workflows alone. What it does there, tests/integration/test_agent_workflow.py shows."""

import socket
import subprocess
import sys

from workflows import guard

guard.install()


def test_outside_a_workflow_files_sockets_and_processes_work(tmp_path) -> None:
    (tmp_path / "data.txt").write_text("data")

    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass

    assert (tmp_path / "data.txt").read_text() == "data"
    assert subprocess.run([sys.executable, "-c", ""], check=False).returncode == 0


def test_installing_twice_adds_no_second_hook() -> None:
    guard.install()

    assert guard._installed


def test_python_may_open_its_own_files_in_a_workflow() -> None:
    assert not guard._is_data("/usr/lib/python3.11/json/__init__.py")
    assert not guard._is_data("module.cpython-311-x86_64-linux-gnu.so")
    assert not guard._is_data("<unknown>")
    assert guard._is_data("/etc/hostname")
