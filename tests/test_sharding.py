"""Processes that don't meet are named in time; work is spread over the devices."""

import os
import socket
import subprocess
import sys

import pytest

from vdiff_jax import sharding
from vdiff_jax.errors import ClusterError, ConfigError


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_an_unreachable_coordinator_is_named():
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(ClusterError, match=address):
        sharding.connect(address, 2, 1, seconds=1)


def test_processes_that_stay_away_are_named():
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(ClusterError, match=f"{address}: process 1, 2 of 3"):
        sharding.connect(address, 3, 0, seconds=1)


@pytest.mark.parametrize(
    ("given", "says"),
    [(("host:1", None, None), "--processes"), (("host:1", 2, 2), "0 to 1"), (("host", 2, 0), "host:port")],
)
def test_what_does_not_fit_is_refused(given, says):
    with pytest.raises(ConfigError, match=says):
        sharding.connect(*given)


@pytest.mark.parametrize(("tasks", "joins"), [("4", True), ("1", False)])
def test_tasks_of_slurm_find_each_other_and_a_lone_one_stays_alone(monkeypatch, tasks, joins):
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_NTASKS", tasks)
    joined = []
    monkeypatch.setattr(sharding.jax.distributed, "initialize", lambda *given, **_: joined.append(given))
    sharding.connect()
    assert joined == ([(None, None, None)] if joins else [])


def test_each_device_takes_its_share():
    program = """
import jax, time
from vdiff_jax.sharding import over_devices
def where(n):
    time.sleep(0.1)
    return n, jax.numpy.zeros(1).device.id
seen = list(over_devices(where, range(6)))
assert [n for n, _ in seen] == list(range(6))
assert {device for _, device in seen} == {0, 1, 2}, seen
"""
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "3"}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=120)
