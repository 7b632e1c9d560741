"""The weights in the package: what they are for, and their size."""

import numpy as np
import pytest

from vdiff_jax.weights import FOLDER, for_task, load, shipped, trained_tasks


def test_a_task_gets_the_set_that_was_tuned_for_it() -> None:
    assert for_task("base", "superres") == "base-superres"
    assert for_task("fast", "deblock") == "fast-deblock"
    assert for_task("base", "denoise") == "base-denoise"
    assert for_task("base", "interpolate") == "base-interpolate"
    assert for_task("base", "inpaint") == "base"
    assert for_task("some/file.safetensors", "superres") == "some/file.safetensors"


@pytest.mark.parametrize("name", shipped())
def test_weights_load_name_their_tasks_and_are_small(name: str) -> None:
    tasks = trained_tasks(name)
    tuned = name.partition("-")[2]
    assert tasks == {tuned} if tuned else {"denoise", "inpaint", "interpolate"} <= tasks
    assert (FOLDER / f"{name}.safetensors").stat().st_size <= 4 << 20
    assert (FOLDER / f"{name}.md").exists()


def test_sets_for_noise_and_blocks_say_how_their_results_are_spread() -> None:
    for name in shipped():
        usual = load(name).wiener_model
        assert (usual is not None) == (name.partition("-")[2] in ("denoise", "deblock"))
        if usual is not None:
            assert np.abs(usual.conductivities).max() < 1
            assert (usual.left[1] > 0).all()
