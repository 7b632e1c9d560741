"""How much memory a run may take."""

from vdiff_jax.runtime.device_memory import free_memory, machine_memory


def test_a_part_of_the_machines_memory_is_free():
    assert 2**20 < free_memory() < machine_memory() < 2**50
