"""XLA's flags: which are set, and that they are set before JAX starts."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from vdiff_jax.nn.conv import _correlate
from vdiff_jax.runtime import xla

FUSION = "--xla_cpu_use_fusion_emitters=false"
PATIENT = "--xla_cpu_collective_call_terminate_timeout_seconds=1000000"
EIGEN = "--xla_cpu_experimental_ynn_fusion_type="


@pytest.mark.parametrize(
    ("version", "given", "flags"),
    [
        ((0, 8, 3), "", f"{PATIENT} {FUSION}"),
        ((0, 9, 0), "", f"{PATIENT} {FUSION} {EIGEN}"),
        ((0, 10, 2), "--xla_dump_to=/x", f"{PATIENT} {FUSION} {EIGEN} --xla_dump_to=/x"),
        ((0, 10, 2), f"{EIGEN}LIBRARY_FUSION_TYPE_DOT", f"{PATIENT} {FUSION} {EIGEN}LIBRARY_FUSION_TYPE_DOT"),
        ((0, 10, 2), "flags.txt", "flags.txt"),  # a file, from which XLA reads the flags
        ((0, 11, 0), "--xla_dump_to=/x", "--xla_dump_to=/x"),  # a newer version may not know them, and abort
    ],
)
def test_known_flags_that_the_user_did_not_set_are_set(monkeypatch, version, given, flags):
    monkeypatch.setattr(xla, "__version_info__", version)
    monkeypatch.setenv("XLA_FLAGS", given)
    xla.set_flags()
    assert os.environ["XLA_FLAGS"] == flags
    xla.set_flags()
    assert os.environ["XLA_FLAGS"] == flags


def test_convolutions_use_eigen():
    compiled = jax.jit(_correlate).lower(jnp.zeros((1, 32, 32, 32)), jnp.zeros((3, 3, 32, 32))).compile()
    assert "convolution" in compiled.as_text()
    assert "ynn" not in compiled.as_text()


@pytest.mark.parametrize("module", ["vdiff_jax.train", "vdiff_jax.infer", "vdiff_jax"])
def test_flags_are_set_before_jax_starts(module):
    program = f"import {module}, os; print(os.environ['XLA_FLAGS']); import jax; print(jax.default_backend())"
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert PATIENT in run.stdout
    assert run.stdout.split()[-1] == "cpu"
