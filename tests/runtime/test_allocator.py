"""The memory that a step frees is kept for the next one, that of a checkpoint is returned, and threads share a heap."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, statistics
from vdiff_jax.runtime import allocator
allocator.keep_freed_memory()
import jax, jax.numpy as jnp
jax.config.update("jax_cpu_enable_async_dispatch", False)
step = jax.jit(lambda x: jnp.sum(jax.lax.scan(lambda c, _: (c * 1.001, c), x, None, length=32)[1], axis=0))
x = jnp.ones((512, 1024))
taken = []
for _ in range(8):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    step(x).block_until_ready()
    taken.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(int(statistics.median(taken[3:])))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_a_step_takes_no_new_pages():
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 1000  # pages of 4 kB; 16000 without the setting


HEAP = """
import re
from pathlib import Path
from vdiff_jax.runtime.allocator import trim_heap
resident = lambda: int(re.search(r"VmRSS:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) >> 10
kept = [bytearray(60_000) for _ in range(1000)]
last = bytearray(60_000)
before = resident()
del kept
trim_heap()
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_freed_memory_is_returned():
    run = subprocess.run([sys.executable, "-c", HEAP], capture_output=True, text=True, check=True)
    assert int(run.stdout) > 40  # MB of 57; without the call, the block after them keeps them


HEAPS = """
import ctypes, sys, threading
from vdiff_jax.runtime.allocator import share_one_heap
if sys.argv[1] == "one":
    share_one_heap()
together = threading.Barrier(4)
def work():
    together.wait()
    kept = [bytearray(60_000) for _ in range(100)]
    together.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
@pytest.mark.parametrize("heaps", ["one", "many"])
def test_threads_share_one_heap(heaps):
    run = subprocess.run([sys.executable, "-c", HEAPS, heaps], capture_output=True, text=True, check=True)
    assert (run.stdout.count("<heap nr=") == 1) == (heaps == "one")
