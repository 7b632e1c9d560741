import pathlib
import re
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
    usage = types.SimpleNamespace(ru_maxrss=5)
    monkeypatch.setattr(peak_memory.sys, "platform", platform)
    monkeypatch.setattr(peak_memory.resource, "getrusage", lambda who: usage)
    assert peak_memory.peak_memory_bytes() == expected


def test_peak_memory_is_zero_where_the_platform_does_not_tell(monkeypatch):
    monkeypatch.setattr(peak_memory, "resource", None)
    assert peak_memory.peak_memory_bytes() == 0
