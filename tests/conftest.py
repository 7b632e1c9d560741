"""Set-up of all tests: shapes are checked, arrays of different rank are never broadcast, the CPU time is printed."""

import atexit
import logging
import os
import resource
import shutil
import tempfile

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # shared by all tests and the programs that they start
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="vdiff_jax-tests-")
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")

from jaxtyping import install_import_hook

install_import_hook("vdiff_jax", "beartype.beartype")

CPU_SECONDS = 600
"""What the whole suite may take, user and system time together, on two cores."""


def pytest_terminal_summary(terminalreporter):
    """Prints the CPU time of this process and of the programs it ran; above the limit it is a warning, no failure.

    Machines differ in speed by a factor of 2.5, so a slow one must not fail the suite.
    """
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(usage.ru_utime + usage.ru_stime for usage in used)
    over = seconds > CPU_SECONDS
    limit = f"more than the limit of {CPU_SECONDS} s: make tests smaller" if over else f"limit {CPU_SECONDS} s"
    terminalreporter.write_line(f"CPU time of the tests: {seconds:.0f} s (user + system; {limit})", yellow=over)


@pytest.fixture(autouse=True)
def _no_log_to_closed_streams():
    """Removes log handlers whose stream pytest has closed: the commands log to the stderr of the test that ran them."""
    handlers = logging.root.handlers
    handlers[:] = [handler for handler in handlers if not getattr(getattr(handler, "stream", None), "closed", False)]


@pytest.fixture(scope="session")
def sample_clips(tmp_path_factory):
    """A folder with noisy.mkv, truth.mkv and mask.mkv: 160×96 pixels from 8 frames of the sample, without loss."""
    import dataclasses
    import itertools

    from vdiff_jax import media, sample

    folder = tmp_path_factory.mktemp("sample")
    for name, source in (("noisy", sample.NOISY), ("truth", sample.TRUTH), ("mask", sample.MASK)):
        with media.open_reader(source) as reader:
            info = dataclasses.replace(reader.info, width=160, height=96)
            shapes = info.pixels.plane_shapes(160, 96)
            with media.open_writer(folder / f"{name}.mkv", info, codec="ffv1") as writer:
                for frame in itertools.islice(reader, 8):
                    planes = zip(frame.planes, shapes)
                    cropped = tuple(
                        plane[rows : 2 * rows, columns : 2 * columns].copy() for plane, (rows, columns) in planes
                    )
                    writer.write(dataclasses.replace(frame, planes=cropped))
    return folder
