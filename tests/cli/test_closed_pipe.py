"""Commands whose output nobody reads any more."""

import os
import subprocess
import sys

import pytest

from vdiff_jax import sample
from vdiff_jax.cli.closed_pipe import CLOSED_PIPE


@pytest.mark.parametrize(
    "words",
    [
        "vdiff_jax repair --help",
        "vdiff_jax --print-completion zsh",
        "vdiff_jax compare black.y4m black.y4m",
        f"vdiff_jax repair {sample.TRUTH} -o - --task denoise --sigma 0 --quiet",
        "vdiff_jax.train --help",
    ],
)
def test_a_command_ends_quietly_at_a_closed_pipe(tmp_path, words):
    (tmp_path / "black.y4m").write_bytes(b"YUV4MPEG2 W32 H32 F25:1 C444\nFRAME\n" + bytes(3 * 32 * 32))
    with subprocess.Popen(
        [sys.executable, "-m", *words.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=os.environ | {"PYTHONUNBUFFERED": ""},  # unbuffered, argparse would ignore the error and exit with 0
    ) as command:
        command.stdout.close()
        assert command.stderr.read() == b""
        assert command.wait(timeout=60) == CLOSED_PIPE


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
@pytest.mark.parametrize("words", ["--print-completion zsh", "compare black.y4m black.y4m"])
def test_one_line_says_that_the_disk_behind_stdout_is_full(tmp_path, words):
    (tmp_path / "black.y4m").write_bytes(b"YUV4MPEG2 W32 H32 F25:1 C444\nFRAME\n" + bytes(3 * 32 * 32))
    command = [sys.executable, "-m", "vdiff_jax", *words.split()]
    with open("/dev/full", "w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=tmp_path, text=True)
    assert (ended.returncode, ended.stderr) == (1, "error: the output can't be written: No space left on device\n")
