import socket

import pytest

from temporal.dev.errors import PortInUseError, PortLostError
from temporal.dev.ports import free_ports, require_free, with_fresh_ports


def test_ports_are_different_and_the_first_ones_run_in_a_row():
    ports = free_ports(6, consecutive=4)

    assert len(set(ports)) == 6
    assert list(ports[:4]) == list(range(ports[0], ports[0] + 4))


def test_a_free_port_may_be_asked_for_by_number():
    (port,) = free_ports(1)

    require_free(port, purpose="a test")


def test_a_taken_port_is_refused_with_its_number_and_its_holder():
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]

        with pytest.raises(PortInUseError, match=rf"Port {port} for a test is taken by 'py\S+' \(pid \d+\)"):
            require_free(port, purpose="a test")


async def test_a_port_that_was_lost_to_another_process_is_tried_again():
    outcomes = iter([PortLostError("first"), PortLostError("second"), "started"])

    async def start():
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert await with_fresh_ports(start) == "started"


async def test_a_port_that_is_lost_each_time_is_reported():
    async def start():
        raise PortLostError("again")

    with pytest.raises(PortLostError, match="again"):
        await with_fresh_ports(start)
