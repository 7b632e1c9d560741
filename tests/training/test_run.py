"""Training runs: killed and resumed = never stopped, several devices or processes = one, stopped = saved."""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import yaml

from vdiff_jax import weights
from vdiff_jax.nn.network import SIZES

CLOUD = Path("scripts/cloud")
SMALL = {
    "train.size": "tiny",
    "data.patch": 16,
    "data.frames": 2,
    "train.unroll": 2,
    "data.batch": 8,
    "train.log_every": 1,
    "train.evaluate_every": 100000,
    "train.checkpoint_every": 5,
    "train.steps": 20,
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
    base = [sys.executable, "-m", "vdiff_jax.train", "--data", str(footage), "--workdir", str(workdir)]
    return [*base, *options, *more]


def environment(footage: Path, devices: int = 1) -> dict[str, str]:
    """Runs of one module share what was compiled and decoded."""
    return {
        **os.environ,
        "XDG_CACHE_HOME": str(footage.parent / "caches"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
        "JAX_NUM_CPU_DEVICES": str(devices),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }


def train(footage: Path, workdir: Path, *more: str, devices: int = 1, **settings: object) -> str:
    """What a run that ends well says."""
    arguments = command(footage, workdir, *more, **settings)
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=600, env=environment(footage, devices))
    assert done.returncode == 0, done.stderr
    return done.stderr


def losses(workdir: Path) -> dict[int, float]:
    path = workdir / "metrics.jsonl"
    lines = map(json.loads, path.read_text().split("\n")[:-1]) if path.exists() else []
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


def until(workdir: Path, steps: int, *processes: subprocess.Popen) -> None:
    deadline = time.monotonic() + 400
    while len(losses(workdir)) < steps and time.monotonic() < deadline:
        assert all(process.poll() is None for process in processes), [process.communicate() for process in processes]
        time.sleep(0.01)


def assert_close(some: dict[int, float], reference: dict[int, float]) -> None:
    np.testing.assert_allclose([some[n] for n in reference], list(reference.values()), rtol=1e-5)


@pytest.fixture(scope="module")
def whole(footage, tmp_path_factory) -> Path:
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    (workdir.parent / "said").write_text(train(footage, workdir))
    return workdir


def test_unreadable_files_are_skipped_and_named(whole):
    said = (whole.parent / "said").read_text()
    assert "skipped 1 unreadable" in said
    assert "broken.png" in said


def test_weights_of_a_run_load(whole):
    _, _, about = weights.load(whole / "weights.safetensors")
    assert about["step"] == "20"
    assert json.loads(about["network"])["widths"] == list(SIZES["tiny"].widths)


def test_held_out_clips_were_evaluated_and_what_was_drawn_written_down(whole):
    lines = map(json.loads, (whole / "metrics.jsonl").read_text().splitlines())
    [scores] = [line for line in lines if "psnr/denoise" in line]
    assert scores["step"] == 20
    assert 0 < scores["ssim/denoise"] < 1
    assert (scores["drawn/task/denoise"], scores["drawn/photos"]) == (1, 1)
    [events] = (whole / "tensorboard").glob("events*")
    assert b"\x89PNG" in events.read_bytes()


@pytest.mark.slow
def test_killed_at_a_random_moment_and_resumed_gives_the_losses_of_never_stopped(footage, whole, tmp_path):
    moment = random.randint(2, 15)
    process = subprocess.Popen(command(footage, tmp_path / "run"), stderr=subprocess.DEVNULL, env=environment(footage))
    until(tmp_path / "run", moment, process)
    process.kill()
    assert process.wait() == -signal.SIGKILL, f"killed after {moment} steps"
    train(footage, tmp_path / "run", "--resume")
    assert losses(tmp_path / "run") == losses(whole), f"killed after {moment} steps"


@pytest.mark.parametrize("devices", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_several_devices_give_the_losses_of_one(footage, whole, tmp_path, devices):
    assert f"{devices} devices" in train(footage, tmp_path / "run", devices=devices)
    assert_close(losses(tmp_path / "run"), losses(whole))


@pytest.mark.slow
def test_four_devices_do_and_two_or_one_go_on_with_what_they_saved(footage, whole, tmp_path):
    train(footage, tmp_path / "four", devices=4)
    assert_close(losses(tmp_path / "four"), losses(whole))
    shutil.rmtree(tmp_path / "four" / "checkpoints" / "20")
    for devices in (2, 1):
        workdir = shutil.copytree(tmp_path / "four", tmp_path / str(devices))
        said = train(footage, workdir, "--resume", devices=devices, train__steps=17)
        assert "resumed at step 15" in said
        assert list(losses(workdir)) == list(range(1, 18))
        assert_close(losses(workdir), {n: loss for n, loss in losses(whole).items() if n <= 17})


@pytest.mark.parametrize(
    ("more", "devices", "says"),
    [
        ([], 3, "not a multiple of 3 devices: take 9"),
        ([], 1, "holds a run up to step 20: add --resume"),
        (["--resume", "--train.seed=4"], 1, "another configuration: train.seed was 0, is 4"),
    ],
)
def test_what_would_spoil_a_run_is_refused_in_one_line(footage, whole, more, devices, says):
    arguments = command(footage, whole, *more)
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, env=environment(footage, devices))
    assert done.returncode == 1
    assert says in done.stderr.splitlines()[-1]


def test_told_to_stop_it_saves_and_traces(footage, tmp_path):
    arguments = command(footage, tmp_path / "run", "--profile=2", train__steps=100000, train__checkpoint_every=100000)
    process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, env=environment(footage))
    until(tmp_path / "run", 7, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=300) == 75
    saved = [int(folder.name) for folder in (tmp_path / "run" / "checkpoints").iterdir()]
    assert saved == [max(losses(tmp_path / "run"))]
    assert list((tmp_path / "run" / "tensorboard" / "plugins" / "profile").rglob("*.xplane.pb"))


def of_jobset(process: int, values: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """What Kubernetes would run in one of the pods, with some of the environment's values replaced."""
    jobset = yaml.safe_load((CLOUD / "jobset.yaml").read_text())
    pod = jobset["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]
    container = pod["spec"]["containers"][0]
    declared = {entry["name"]: entry.get("value", str(process)) for entry in container["env"]}
    settings = {name: values.get(name, value) for name, value in declared.items()}
    words = container["command"] + container["args"]
    return [re.sub(r"\$\((\w+)\)", lambda match: settings[match[1]], word) for word in words], settings


def of_skypilot(process: int, values: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """What SkyPilot would run on one of two nodes."""
    task = yaml.safe_load((CLOUD / "skypilot.yaml").read_text())
    host, port = values["JAX_COORDINATOR_ADDRESS"].split(":")
    nodes = {"SKYPILOT_NUM_NODES": "2", "SKYPILOT_NODE_RANK": str(process), "SKYPILOT_NODE_IPS": f"{host}\n{host}"}
    settings = {**task["envs"], **{name: values[name] for name in ("CONFIG", "DATA", "WORKDIR")}, **nodes}
    return ["bash", "-c", task["run"].replace("8476", port)], settings


def launch(launcher, footage: Path, config: Path, workdir: Path) -> list[subprocess.Popen]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    values = {"CONFIG": config, "DATA": footage, "WORKDIR": workdir, "JAX_COORDINATOR_ADDRESS": address}
    processes = []
    for process in range(2):
        arguments, settings = launcher(process, {name: str(value) for name, value in values.items()})
        how = {"stderr": subprocess.PIPE, "text": True, "env": {**environment(footage), **settings}}
        processes.append(subprocess.Popen(arguments, **how))
    return processes


def write_config(path: Path, **settings: object) -> None:
    sections: dict[str, list[str]] = {}
    for key, value in {**SMALL, **{key.replace("__", "."): value for key, value in settings.items()}}.items():
        section, name = key.split(".")
        sections.setdefault(section, []).append(f"{name} = {json.dumps(value)}")
    path.write_text("\n".join(line for section, lines in sections.items() for line in [f"[{section}]", *lines]) + "\n")


@pytest.mark.slow
def test_cloud_jobs_give_one_process_losses_stop_together_and_go_on(footage, whole, tmp_path):
    config, workdir = tmp_path / "config.toml", tmp_path / "run"
    # The warm-up is longer than what is compared, so the schedule's end does not matter.
    write_config(config, train__steps=100000, train__checkpoint_every=100000)
    processes = launch(of_jobset, footage, config, workdir)
    until(workdir, 21, *processes)
    processes[1].send_signal(signal.SIGTERM)
    said = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [75, 75], said
    assert_close(losses(workdir), losses(whole))
    last = max(losses(workdir))
    write_config(config, train__steps=last + 2)
    processes = launch(of_skypilot, footage, config, workdir)
    said = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert f"resumed at step {last}" in said[0]
    assert max(losses(workdir)) == last + 2
