import pathlib
import re
import subprocess
import sys
import types

import pytest

from vdiff_jax.runtime import peak_memory


def test_peak_memory_is_what_the_kernel_says():
    status = pathlib.Path("/proc/self/status")
    peak = peak_memory.peak_memory_bytes()
    assert peak > 10 * 2**20
    if status.exists():
        known = re.search(r"VmHWM:\s*(\d+) kB", status.read_text())
        assert peak == pytest.approx(int(known[1]) * 1024, rel=0.02)


@pytest.mark.parametrize(("platform", "expected"), [("linux", 5 * 1024), ("darwin", 5)])
def test_the_unit_follows_the_platform(monkeypatch, platform, expected):
    monkeypatch.setattr(peak_memory, "_STATUS", pathlib.Path("missing"))
    usage = types.SimpleNamespace(ru_maxrss=5)
    monkeypatch.setattr(peak_memory.sys, "platform", platform)
    monkeypatch.setattr(peak_memory.resource, "getrusage", lambda who: usage)
    assert peak_memory.peak_memory_bytes() == expected


def test_peak_memory_is_zero_where_the_platform_does_not_tell(monkeypatch):
    monkeypatch.setattr(peak_memory, "_STATUS", pathlib.Path("missing"))
    monkeypatch.setattr(peak_memory, "resource", None)
    assert peak_memory.peak_memory_bytes() == 0


def test_the_memory_of_the_program_that_started_this_one_does_not_count():
    child = "from vdiff_jax.runtime.peak_memory import peak_memory_bytes as peak; print(peak() >> 20)"
    parent = (
        f"import subprocess, sys; b'1' * (500 << 20); subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    )
    made = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True)
    assert int(made.stdout) < 250
