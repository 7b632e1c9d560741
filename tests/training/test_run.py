"""Training runs: resumed = never stopped, several devices = one, the state saved when it is told to stop."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from vdiff_jax import weights
from vdiff_jax.nn.network import SIZES

SMALL = {
    "train.size": "tiny",
    "data.patch": 16,
    "data.frames": 2,
    "train.unroll": 2,
    "data.batch": 4,
    "train.log_every": 1,
    "train.evaluate_every": 100,
    "train.checkpoint_every": 3,
    "train.steps": 6,
}


@pytest.fixture(scope="module")
def footage(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("footage")
    for n in range(3):
        y, x = np.mgrid[:80, :96]
        waves = [127 + 120 * np.sin((x * (n + 1) + y * c) / 9) for c in (1, 2, 3)]
        iio.imwrite(folder / f"{n}.png", np.stack(waves, axis=-1).astype(np.uint8))
    (folder / "broken.png").write_text("no picture")
    return folder


def command(footage: Path, workdir: Path, *more: str, **settings: object) -> list[str]:
    values = {**SMALL, **{key.replace("__", "."): value for key, value in settings.items()}}
    options = [f"--{key}={value}" for key, value in values.items()]
    base = [sys.executable, "-m", "vdiff_jax.train", "--data", str(footage), "--cache", str(workdir.parent / "cache")]
    return [*base, "--workdir", str(workdir), *options, *more]


def train(
    footage: Path, workdir: Path, *more: str, devices: int = 1, **settings: object
) -> subprocess.CompletedProcess:
    environment = {**os.environ, **compiled_once(footage), "JAX_NUM_CPU_DEVICES": str(devices)}
    arguments = command(footage, workdir, *more, **settings)
    return subprocess.run(arguments, capture_output=True, text=True, timeout=300, env=environment)


def compiled_once(footage: Path) -> dict[str, str]:
    """Runs of one module share what was compiled."""
    folder = footage.parent / "compiled"
    return {"JAX_COMPILATION_CACHE_DIR": str(folder), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2"}


def losses(workdir: Path) -> dict[int, float]:
    lines = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


@pytest.fixture(scope="module")
def whole(footage, tmp_path_factory) -> Path:
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    done = train(footage, workdir)
    assert done.returncode == 0, done.stderr
    return workdir


def test_unreadable_files_are_skipped_and_named(footage, tmp_path):
    done = train(footage, tmp_path / "run", train__steps=1)
    assert "skipped 1 unreadable" in done.stderr
    assert "broken.png" in done.stderr


def test_resumed_gives_the_losses_of_never_stopped(footage, whole, tmp_path):
    assert train(footage, tmp_path / "run", train__steps=4).returncode == 0
    for checkpoint in (tmp_path / "run" / "checkpoints").glob("4*"):
        checkpoint.rename(tmp_path / "gone")
    done = train(footage, tmp_path / "run", "--resume", train__steps=6)
    assert done.returncode == 0, done.stderr
    # The schedule ends elsewhere in the first part, so its learning rates differ only after the warm-up.
    assert losses(tmp_path / "run") == losses(whole)


def test_four_devices_give_the_losses_of_one(footage, whole, tmp_path):
    done = train(footage, tmp_path / "run", devices=4)
    assert done.returncode == 0, done.stderr
    assert "4 devices" in done.stderr
    several, one = losses(tmp_path / "run"), losses(whole)
    np.testing.assert_allclose([several[n] for n in one], list(one.values()), rtol=1e-5)


def test_a_batch_that_devices_do_not_divide_is_refused(footage, tmp_path):
    done = train(footage, tmp_path / "run", devices=3)
    assert done.returncode == 1
    assert "not a multiple of 3 devices" in done.stderr


def test_weights_of_a_run_load(whole):
    _, _, about = weights.load(whole / "weights.safetensors")
    assert about["step"] == "6"
    assert json.loads(about["network"])["widths"] == list(SIZES["tiny"].widths)


def test_told_to_stop_it_saves(footage, tmp_path):
    arguments = command(footage, tmp_path / "run", train__steps=100000, train__checkpoint_every=100000)
    environment = {**os.environ, **compiled_once(footage)}
    process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, env=environment)
    metrics = tmp_path / "run" / "metrics.jsonl"
    deadline = time.monotonic() + 240
    while not (metrics.exists() and metrics.read_text()) and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == 75
    saved = [int(folder.name) for folder in (tmp_path / "run" / "checkpoints").iterdir()]
    assert saved == [max(losses(tmp_path / "run"))]
