"""The files in scripts/cloud agree with the program. tests/training/test_run.py runs their commands."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from vdiff_jax import config
from vdiff_jax.cli.arguments import build_parser
from vdiff_jax.cluster.pool import _devices
from vdiff_jax.train import PREEMPTED

CLOUD = Path("scripts/cloud")


def test_jobset_agrees_with_itself_and_the_program():
    jobset = yaml.safe_load((CLOUD / "jobset.yaml").read_text())
    assert (jobset["apiVersion"], jobset["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
    group = jobset["spec"]["replicatedJobs"][0]
    job = group["template"]["spec"]
    pod = job["template"]["spec"]
    container = pod["containers"][0]
    values = {entry["name"]: entry.get("value") for entry in container["env"]}
    name = jobset["metadata"]["name"]
    host, port = values["JAX_COORDINATOR_ADDRESS"].split(":")
    assert host == f"{name}-{group['name']}-0-0.{name}"
    assert int(port) == container["ports"][0]["containerPort"]
    assert job["completionMode"] == "Indexed"
    assert job["parallelism"] == job["completions"] == int(values["JAX_NUM_PROCESSES"])
    assert config.load(values["CONFIG"])
    # Kubernetes takes a rule on exit codes only for pods that are never restarted. The rule names their container.
    rule = job["podFailurePolicy"]["rules"][0]["onExitCodes"]
    assert pod["restartPolicy"] == "Never"
    assert (rule["containerName"], rule["values"]) == (container["name"], [PREEMPTED])
    [restart] = jobset["spec"]["failurePolicy"]["rules"]
    assert restart["onJobFailureReasons"] == ["PodFailurePolicy"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts.keys() == {volume["name"] for volume in pod["volumes"]}
    assert values["WORKDIR"].startswith(f"{mounts['bucket']}/")
    assert "--resume" in container["args"]


def test_skypilot_task_agrees_with_itself_and_the_program():
    task = yaml.safe_load((CLOUD / "skypilot.yaml").read_text())
    assert task["resources"]["use_spot"]
    assert task["resources"]["job_recovery"]["recover_on_exit_codes"] == [PREEMPTED]
    [mount] = task["file_mounts"]
    assert task["file_mounts"][mount] == {"name": "${BUCKET}", "mode": "MOUNT"}
    assert task["envs"]["WORKDIR"].startswith(f"{mount}/")
    assert config.load(task["envs"]["CONFIG"])
    for script in (task["setup"], task["run"]):
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_xpk_gets_the_training_command_and_refuses_without_a_bucket(tmp_path):
    fake = tmp_path / "xpk"
    fake.write_text('#!/bin/sh\nfor word; do echo "$word"; done\n')
    fake.chmod(0o755)
    needed = dict.fromkeys(("PROJECT", "ZONE", "CLUSTER", "IMAGE", "BUCKET"), "x")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **needed}
    words = subprocess.run([CLOUD / "xpk.sh"], env=environment, capture_output=True, text=True, check=True).stdout
    places = "--data gs://x/footage --workdir /bucket/runs/base"
    train = f"python -m vdiff_jax.train --config configs/base.toml {places} --resume"
    assert f"--command={train}" in words.splitlines()
    assert f"--restart-on-exit-codes={PREEMPTED}" in words.splitlines()
    del environment["BUCKET"]
    assert subprocess.run([CLOUD / "xpk.sh"], env=environment, capture_output=True).returncode != 0


def test_dockerfile_copies_files_that_exist():
    text = (CLOUD / "Dockerfile").read_text().splitlines()
    steps = [line.split() for line in text if line and not line.startswith("#")]
    assert [step[0] for step in steps][:2] == ["FROM", "ARG"]
    assert {step[0] for step in steps} == {"FROM", "ARG", "WORKDIR", "COPY", "RUN", "ENTRYPOINT", "CMD"}
    copied = [source for step in steps if step[0] == "COPY" for source in step[1:-1]]
    assert all(Path(source).exists() for source in copied)
    assert {"pyproject.toml", "vdiff_jax", "configs"} <= set(copied)


@pytest.mark.parametrize(
    "name", ["Dockerfile", "jobset.yaml", "xpk.sh", "skypilot.yaml", "repair-skypilot.yaml", "rayjob.yaml"]
)
def test_readme_names_the_file(name):
    assert f"`{name}`" in Path("scripts/cloud/README.md").read_text()


def test_both_clusters_run_repair_with_options_that_it_has():
    task = yaml.safe_load((CLOUD / "repair-skypilot.yaml").read_text())
    job = yaml.safe_load((CLOUD / "rayjob.yaml").read_text())
    assert task["resources"]["use_spot"]
    [command] = [line for line in task["run"].splitlines() if line.startswith("vdiff ")]
    for name, value in task["envs"].items():
        command = command.replace(f'"${name}"', value).replace(f"${name}", value)
    for words in (command.split(), job["spec"]["entrypoint"].split()):
        options = build_parser().parse_args(words[1:])
        assert (words[0], options.command, options.cluster, options.keep_going) == ("vdiff", "repair", "auto", True)


def test_the_skypilot_nodes_form_one_cluster(tmp_path):
    """The scripts of the head and of a worker, with programs that only say how they were called."""
    run = yaml.safe_load((CLOUD / "repair-skypilot.yaml").read_text())["run"]
    for name in ("ray", "vdiff", "sleep"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "{name} $* ($RAY_ADDRESS)"\n')
        (tmp_path / name).chmod(0o755)
    calls = []
    for rank in ("0", "1"):
        nodes = {"SKYPILOT_NODE_IPS": "10.0.0.1\n10.0.0.2", "SKYPILOT_NODE_RANK": rank}
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SRC": "s3://in", "DST": "s3://out", **nodes}
        ran = subprocess.run(["bash", "-c", run], env=environment, capture_output=True, text=True, check=True)
        calls.append(ran.stdout)
    assert "ray start --head --port 6379" in calls[0]
    assert "vdiff repair s3://in -o s3://out --cluster --keep-going (10.0.0.1:6379)" in calls[0].replace("  ", " ")
    assert "ray start --address 10.0.0.1:6379" in calls[1]
    assert "vdiff" not in calls[1]


def test_the_rayjob_agrees_with_itself():
    job = yaml.safe_load((CLOUD / "rayjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    head, [group] = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    assert head["rayStartParams"]["num-cpus"] == "0"  # so the pool starts no worker there
    assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    pods = [each["template"]["spec"]["containers"] for each in (head, group)]
    assert [pod["image"] for [pod] in pods] == ["IMAGE", "IMAGE"]
    for [pod] in pods:
        assert pod["resources"]["requests"] == pod["resources"]["limits"]
    assert list(_devices({"CPU": 0.0, "memory": 1e9})) == []
