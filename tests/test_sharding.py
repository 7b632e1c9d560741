"""Processes that do not connect are named in time; the devices share the work."""

import ast
import os
import socket
import subprocess
import sys

import numpy as np
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


def test_processes_that_do_not_connect_are_named():
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(ClusterError, match=f"{address}: process 1, 2 of 3"):
        sharding.connect(address, 3, 0, seconds=1)


@pytest.mark.parametrize(
    ("given", "says"),
    [(("host:1", None, None), "--processes"), (("host:1", 2, 2), "0 to 1"), (("host", 2, 0), "host:port")],
)
def test_addresses_and_numbers_that_do_not_fit_are_refused(given, says):
    with pytest.raises(ConfigError, match=says):
        sharding.connect(*given)


@pytest.mark.parametrize(("tasks", "joins"), [("4", True), ("1", False)])
def test_several_tasks_of_slurm_connect_and_a_single_one_does_not(monkeypatch, tasks, joins):
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_NTASKS", tasks)
    joined = []
    monkeypatch.setattr(sharding.jax.distributed, "initialize", lambda *given, **_: joined.append(given))
    sharding.connect()
    assert joined == ([(None, None, None)] if joins else [])


def test_a_step_on_a_replicated_state_is_compiled_once():
    traced = []

    def step(state, batch):
        traced.append(state)
        return state + batch.mean(), {}

    state, advance = sharding.replicate(np.zeros(3, np.float32)), sharding.data_parallel(step)
    for _ in range(2):
        state, _ = advance(state, sharding.shard(np.ones((4, 2), np.float32)))
    assert len(traced) == 1
    np.testing.assert_array_equal(sharding.unreplicate(state), [2, 2, 2])


def test_each_device_takes_its_share():
    program = """
import jax, threading
from vdiff_jax.sharding import over_devices
all_at_once = threading.Barrier(3)
def where(n):
    all_at_once.wait(60)
    return n, jax.numpy.zeros(1).device.id
print(list(over_devices(where, range(6))))
"""
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "3"}
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    seen = ast.literal_eval(run.stdout)
    assert [number for number, _ in seen] == list(range(6))
    assert sorted(device for _, device in seen) == [0, 0, 1, 1, 2, 2]
