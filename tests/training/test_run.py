"""Whole runs (loop, evaluate, metric_writer, train.py): resumed = never stopped, several devices or processes = one."""

import dataclasses
import functools
import json
import os
import random
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import imageio.v3 as iio
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml

from vdiff_jax import config, sharding, train, weights
from vdiff_jax.errors import ConfigError, DivergedError
from vdiff_jax.nn.network import SIZES
from vdiff_jax.training import loop
from vdiff_jax.training.loop import Run
from vdiff_jax.training.metric_writer import MetricWriter
from vdiff_jax.training.step import build, make_step

CLOUD = Path("scripts/cloud")
STEPS = 12
# As in the fixture `small`.
SMALL = {
    "train.size": "tiny",
    "train.optimiser": "adam",
    "data.patch": 16,
    "data.frames": 2,
    "train.unroll": 2,
    "data.batch": 8,
    "train.log_every": 1,
    "train.evaluate_every": 100000,
    "train.checkpoint_every": 4,
    "train.steps": STEPS,
}


@pytest.fixture(scope="module", autouse=True)
def _one_step_for_all():
    """Runs of one configuration share the step: to trace and load it takes longer than all else in them."""
    made = {}

    def once(definition, train):
        key = definition, repr(dataclasses.replace(train, checkpoint_every=1))
        return made.setdefault(key, make_step(definition, train))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "make_step", once)
        patch.setattr(sharding, "data_parallel", functools.cache(sharding.data_parallel))
        yield


@pytest.fixture(scope="module")
def footage(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("footage")
    for n in range(3):
        y, x = np.mgrid[:80, :96]
        waves = [127 + 120 * np.sin((x * (n + 1) + y * c) / 9) for c in (1, 2, 3)]
        iio.imwrite(folder / f"{n}.png", np.stack(waves, axis=-1).astype(np.uint8))
    (folder / "broken.png").write_text("no picture")
    return folder


def options(footage: Path, workdir: Path, *more: str, **settings: object) -> list[str]:
    """The command's arguments; all runs of the module share what is decoded."""
    values = {**SMALL, **{key.replace("__", "."): value for key, value in settings.items()}}
    base = ["--data", str(footage), "--workdir", str(workdir), "--cache", str(footage.parent / "decoded")]
    return [*base, *(f"--{key}={value}" for key, value in values.items()), *more]


def environment(devices: int = 1) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "JAX_NUM_CPU_DEVICES": str(devices), "PATH": path}


def losses(workdir: Path) -> dict[int, float]:
    path = workdir / "metrics.jsonl"
    lines = map(json.loads, path.read_text().split("\n")[:-1]) if path.exists() else []
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


def wait_for_step(workdir: Path, step: int, *processes: subprocess.Popen) -> None:
    deadline = time.monotonic() + 400
    while len(losses(workdir)) < step and time.monotonic() < deadline:
        assert all(process.poll() is None for process in processes), [process.communicate() for process in processes]
        time.sleep(0.01)


@pytest.fixture(scope="module")
def whole(footage, tmp_path_factory) -> Path:
    """The workdir of a run on one device that was never stopped."""
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    assert train.main(options(footage, workdir)) == 0
    return workdir


def test_weights_of_a_run_load(whole):
    metadata = weights.load(whole / "weights.safetensors").about
    assert metadata["step"] == str(STEPS)
    assert json.loads(metadata["network"])["widths"] == list(SIZES["tiny"].widths)


def test_metrics_have_the_evaluation_and_the_shares_of_the_examples(whole):
    lines = map(json.loads, (whole / "metrics.jsonl").read_text().splitlines())
    [scores] = [line for line in lines if "psnr/denoise" in line]
    assert scores["step"] == STEPS
    assert 0 < scores["ssim/denoise"] < 1
    assert (scores["drawn/task/denoise"], scores["drawn/photos"]) == (1, 1)
    [events] = (whole / "tensorboard").glob("events*")
    assert b"\x89PNG" in events.read_bytes()


def test_killed_at_a_random_moment_and_resumed_gives_the_losses_of_never_stopped(footage, whole, tmp_path):
    moment, arguments = random.randint(2, STEPS - 2), options(footage, tmp_path / "run")
    command = [sys.executable, "-m", "vdiff_jax.train", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment())
    wait_for_step(tmp_path / "run", moment, process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL, f"killed after {moment} steps"
    assert train.main([*arguments, "--resume"]) == 0
    assert losses(tmp_path / "run") == losses(whole), f"killed after {moment} steps"


@pytest.mark.parametrize(
    ("more", "devices", "says"),
    [
        ([], 3, "not a multiple of 3 devices: pass 9"),
        ([], 1, f"holds a run up to step {STEPS}: pass --resume"),
        (["--resume", "--train.seed=4"], 1, "another configuration: train.seed was 0, is 4"),
    ],
)
def test_a_run_that_would_spoil_another_is_refused_in_one_line(
    footage, whole, capsys, monkeypatch, more, devices, says
):
    monkeypatch.setattr(sharding.jax, "device_count", lambda: devices)
    assert train.main(options(footage, whole, *more)) == 1
    assert says in capsys.readouterr().err.splitlines()[-1]


def test_sigterm_saves_a_checkpoint_and_the_profile_is_traced(footage, whole, tmp_path, monkeypatch):
    workdir, write = tmp_path / "run", MetricWriter.write_scalars

    def write_and_terminate(writer, step, values):
        write(writer, step, values)
        if step == 7:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(MetricWriter, "write_scalars", write_and_terminate)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        status = train.main(options(footage, workdir, "--profile=2", train__checkpoint_every=100000))
        assert status == train.PREEMPTED
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN  # as the caller had it
    finally:
        signal.signal(signal.SIGTERM, before)
    saved = [int(folder.name) for folder in (workdir / "checkpoints").iterdir()]
    assert saved == [max(losses(workdir))] == [7]
    assert list((workdir / "tensorboard" / "plugins" / "profile").rglob("*.xplane.pb"))


def test_what_it_says_at_ctrl_c_is_shown_where_it_runs_as_a_program():
    names = runpy.run_path(train.__file__, run_name="program")
    assert names["log"].name.startswith("vdiff_jax.")


def test_a_run_may_start_from_weights_and_stops_at_a_loss_that_is_not_finite(footage, whole, tmp_path):
    values = config.load(None, {key: str(value) for key, value in SMALL.items()})
    values = dataclasses.replace(values, train=dataclasses.replace(values.train, checkpoint_every=1))
    decoded, initial = footage.parent / "decoded", whole / "weights.safetensors"
    run = Run(values, tmp_path / "run", footage, decoded, init_from=str(initial))
    for params in (run.state.params, run.state.average):
        jax.tree.map(np.testing.assert_array_equal, sharding.unreplicate(params), weights.load(initial).params)
    save = run._save

    def save_then_spoil(step, score):
        save(step, score)
        run.checkpoints.wait()
        if step == 2:
            run.state = run.state._replace(params=jax.tree.map(lambda leaf: leaf * jnp.nan, run.state.params))

    run._save = save_then_spoil
    with pytest.raises(DivergedError, match=r"at step 3 the loss is nan.*last good checkpoint is .*checkpoints/2 \("):
        run.train()


def test_a_run_from_weights_of_other_blocks_keeps_them_and_goes_on_with_them(footage, tmp_path):
    deeper = dataclasses.replace(SIZES["tiny"], decoder=((8,), (12, 5)))
    initial, workdir = tmp_path / "deeper.safetensors", tmp_path / "run"
    weights.save(initial, deeper, build(deeper)[1], {})
    assert train.main(options(footage, workdir, "--init-from", str(initial), train__steps=4)) == 0
    assert train.main(options(footage, workdir, "--resume", train__steps=6)) == 0
    assert weights.load(workdir / "weights.safetensors").config == deeper
    with pytest.raises(ConfigError, match=r"fast: these weights are not of the size tiny: change train\.size"):
        Run(config.load(None, SMALL), tmp_path / "other", footage, footage.parent / "decoded", init_from="fast")


def of_jobset(process: int, values: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """The command and environment that Kubernetes runs in one of the pods, with some values replaced."""
    jobset = yaml.safe_load((CLOUD / "jobset.yaml").read_text())
    pod = jobset["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]
    container = pod["spec"]["containers"][0]
    declared = {entry["name"]: entry.get("value", str(process)) for entry in container["env"]}
    settings = {name: values.get(name, value) for name, value in declared.items()}
    words = container["command"] + container["args"]
    return [re.sub(r"\$\((\w+)\)", lambda match: settings[match[1]], word) for word in words], settings


def of_skypilot(process: int, values: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """The command and environment that SkyPilot runs on one of two nodes."""
    task = yaml.safe_load((CLOUD / "skypilot.yaml").read_text())
    host, port = values["JAX_COORDINATOR_ADDRESS"].split(":")
    nodes = {"SKYPILOT_NUM_NODES": "2", "SKYPILOT_NODE_RANK": str(process), "SKYPILOT_NODE_IPS": f"{host}\n{host}"}
    settings = {**task["envs"], **{name: values[name] for name in ("CONFIG", "DATA", "WORKDIR")}, **nodes}
    return ["bash", "-c", task["run"].replace("8476", port)], settings


def launch(footage: Path, path: Path, workdir: Path) -> list[subprocess.Popen]:
    """Two processes of four devices each, one as Kubernetes starts it and one as SkyPilot does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    values = {"CONFIG": path, "DATA": footage, "WORKDIR": workdir, "JAX_COORDINATOR_ADDRESS": address}
    processes = []
    for process, launcher in enumerate((of_jobset, of_skypilot)):
        arguments, settings = launcher(process, {name: str(value) for name, value in values.items()})
        variables = {**environment(4), **settings, "XDG_CACHE_HOME": str(workdir.parent)}
        processes.append(subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, env=variables))
    return processes


def write_config(path: Path, **settings: object) -> None:
    sections: dict[str, list[str]] = {}
    for key, value in {**SMALL, **{key.replace("__", "."): value for key, value in settings.items()}}.items():
        section, name = key.split(".")
        sections.setdefault(section, []).append(f"{name} = {json.dumps(value)}")
    path.write_text("\n".join(line for section, lines in sections.items() for line in [f"[{section}]", *lines]) + "\n")


def test_two_processes_of_the_cloud_jobs_give_the_losses_of_one_stop_together_and_one_device_continues(
    footage, whole, tmp_path, caplog
):
    path, workdir = tmp_path / "config.toml", tmp_path / "run"
    # The warm-up is longer than what is compared, so the schedule's end does not matter.
    write_config(path, train__steps=100000)
    processes = launch(footage, path, workdir)
    try:
        wait_for_step(workdir, STEPS + 1, *processes)
        processes[1].send_signal(signal.SIGTERM)
        logs = [process.communicate(timeout=300)[1] for process in processes]
    finally:  # if they have not ended
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [train.PREEMPTED, train.PREEMPTED], logs
    assert "on 8 devices" in logs[0]
    together = losses(workdir)
    assert {step: together[step] for step in losses(whole)} == pytest.approx(losses(whole), rel=1e-5)

    before, last = sorted(int(folder.name) for folder in (workdir / "checkpoints").iterdir())
    assert last == max(together)
    shutil.rmtree(workdir / "checkpoints" / str(last))
    write_config(path, train__steps=last)
    caplog.set_level("INFO", "vdiff_jax")
    assert train.main(["--config", str(path), *options(footage, workdir, "--resume", train__steps=last)]) == 0
    assert f"resumed at step {before}" in caplog.text
    assert "on 1 device\n" in caplog.text
    assert losses(workdir) == pytest.approx(together, rel=1e-5)
