"""The weights in the package: what they are for, and their size."""

import dataclasses

import jax
import numpy as np
import pytest

from vdiff_jax import weights
from vdiff_jax.errors import WeightsError
from vdiff_jax.nn.network import SIZES
from vdiff_jax.training.step import build
from vdiff_jax.weights import FOLDER, for_task, shipped, trained_tasks


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


def test_training_begins_from_what_weights_hold_and_keeps_what_the_network_has_gained(tmp_path) -> None:
    before = dataclasses.replace(SIZES["tiny"], holds=False)
    old, new = build(before, seed=1)[1], build(SIZES["tiny"], seed=2)[1]
    path = tmp_path / "old.safetensors"
    weights.save(path, before, old, {})
    begun = weights.begun(path, new)
    np.testing.assert_array_equal(begun["out"]["kernel"][...], old["out"]["kernel"][...])
    np.testing.assert_array_equal(begun["hold"]["kernel"][...], new["hold"]["kernel"][...])
    assert jax.tree.structure(begun) == jax.tree.structure(new)
    with pytest.raises(WeightsError, match="architecture"):
        weights.begun(path, build(SIZES["base"])[1])
