"""The check that frames fit into memory."""

import pytest

from vdiff_jax.errors import OptionError
from vdiff_jax.runtime import device_memory


@pytest.mark.parametrize(("gigabytes", "fits"), [(0.06, False), (0.09, True)])
def test_frames_larger_than_memory_are_an_error(monkeypatch, gigabytes, fits):
    """300 × 300 pixels of the network take 63 MB, 1000 × 400 pixels of the output 24 MB."""
    monkeypatch.setattr(device_memory, "_device_memory", lambda: int(gigabytes * 10**9))
    if fits:
        device_memory.check_memory((300, 300), (400, 1000))
    else:
        with pytest.raises(
            OptionError, match="1000x400 needs about 0 GB of memory, the device has 0 GB: pass a smaller"
        ):
            device_memory.check_memory((300, 300), (400, 1000))


def test_the_memory_of_a_cpu_is_that_of_the_machine():
    assert 2**28 < device_memory._device_memory() < 2**50
