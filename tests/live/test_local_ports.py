"""Leased ports: one holder each, others skipped, all of them given back."""

import socket
import subprocess
import sys

import pytest

from deploy.local.errors import LocalError
from deploy.local.ports import LOOPBACK, PortLease

AMONG = range(23392, 23400)
HOLDER = """
from deploy.local.ports import PortLease
lease = PortLease(2, range(23392, 23400))
print(*lease.ports, flush=True)
input()
"""


def test_two_leases_never_share_a_port() -> None:
    with PortLease(3, AMONG) as first, PortLease(3, AMONG) as second:
        assert set(first.ports).isdisjoint(second.ports)


def test_a_released_port_is_given_again() -> None:
    with PortLease(2, AMONG) as first:
        ports = first.ports
    with PortLease(2, AMONG) as again:
        assert again.ports == ports


def test_a_lease_holds_against_other_processes_and_ends_with_its_holder() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        held = {int(port) for port in holder.stdout.readline().split()}
        with PortLease(2, AMONG) as mine:
            assert held.isdisjoint(mine.ports), "nobody listens there, and yet they are taken"
        holder.kill()
    with PortLease(2, AMONG) as again:
        assert set(again.ports) == held


def test_a_port_somebody_listens_on_is_skipped() -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, AMONG[0]))
        other.listen()
        with PortLease(1, AMONG) as lease:
            assert lease.ports[0] != AMONG[0]


def test_preferred_ports_come_first() -> None:
    with PortLease(2, AMONG, first_try=(AMONG[5], AMONG[4])) as lease:
        assert lease.ports == (AMONG[5], AMONG[4])


def test_too_few_free_ports_is_said_and_none_is_kept() -> None:
    with pytest.raises(LocalError, match="9 free ports are needed between 23392 and 23399"):
        PortLease(9, AMONG)
    with PortLease(8, AMONG) as lease:
        assert len(lease.ports) == 8
