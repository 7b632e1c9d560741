"""The weights in the package, and files that cannot be read as weights."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from vdiff_jax.errors import WeightsError
from vdiff_jax.nn.network import SIZES
from vdiff_jax.weights import FOLDER, FORMAT, for_task, identities, identity, load, save, shipped, trained_tasks


def test_a_task_gets_the_weights_tuned_for_it() -> None:
    assert for_task("base", "superres") == "base-superres"
    assert for_task("base", "superres4", "superres") == "base-superres4"
    assert for_task("fast", "superres4", "superres") == "fast-superres"
    assert for_task("fast", "deblock") == "fast-deblock"
    assert for_task("base", "denoise") == "base-denoise"
    assert for_task("base", "interpolate") == "base-interpolate"
    assert for_task("base", "inpaint") == "base-inpaint"
    assert for_task("fast", "inpaint") == "fast"
    assert for_task("some/file.safetensors", "superres") == "some/file.safetensors"


@pytest.mark.parametrize("name", shipped())
def test_weights_load_name_their_tasks_and_are_small(name: str) -> None:
    tasks = trained_tasks(name)
    tuned = name.partition("-")[2]
    assert tasks == {tuned} if tuned else {"denoise", "inpaint", "interpolate"} <= tasks
    assert (FOLDER / f"{name}.safetensors").stat().st_size <= 4 << 20
    assert (FOLDER / f"{name}.md").exists()


def test_weights_for_denoise_and_deblock_hold_a_wiener_model() -> None:
    for name in shipped():
        network = load(name)
        assert (network.wiener_model is not None) == (name.partition("-")[2] in ("denoise", "deblock"))
        for model in filter(None, (network.wiener_model, network.wiener_of_both)):
            assert (np.diff(model.errors) > 0).all()
            for part in (model.stored, model.rgb):
                assert (np.diff(part.left) > 0).all()
                assert np.abs(part.luma).max() < 2
                assert np.abs(part.chroma).max() < 1


def test_a_wiener_model_is_written_as_it_is_whatever_the_order_of_its_memory(tmp_path) -> None:
    network = load("fast-denoise")
    model = network.wiener_model
    luma = np.asarray(model.rgb.luma)
    turned = model._replace(rgb=model.rgb._replace(luma=np.asfortranarray(luma)))
    both = model._replace(errors=model.errors + 1)
    save(tmp_path / "again.safetensors", network.config, network.params, {}, turned, both)
    again = load(tmp_path / "again.safetensors")
    np.testing.assert_array_equal(again.wiener_model.rgb.luma, luma)
    np.testing.assert_array_equal(again.wiener_of_both.errors, both.errors)
    assert load("fast").wiener_of_both is None


def test_weights_fitted_anew_know_the_files_before_them() -> None:
    """So that a video compressed with earlier weights is still restored, by the same network."""
    known = identities("base-denoise")
    assert identity("base-denoise") in known
    assert bytes.fromhex("cd39a46691816a01") in known
    assert identities("base-superres4") == {identity("base-superres4")}


def test_weights_written_today_have_the_names_of_today(tmp_path) -> None:
    """The shipped files have the earlier name of a layer; `load` reads both."""
    network = load("fast")
    save(tmp_path / "again.safetensors", network.config, network.params, {})
    with safe_open(tmp_path / "again.safetensors", framework="numpy") as file:
        layers = {name.split(".")[0] for name in file.keys()}  # noqa: SIM118
    assert "enlarge" in layers
    assert "spread" not in layers
    jax.tree.map(np.testing.assert_array_equal, load(tmp_path / "again.safetensors").params, network.params)


def test_a_name_that_is_neither_packaged_nor_a_file_lists_those_in_the_package(tmp_path) -> None:
    with pytest.raises(WeightsError, match=r"no weights bass: pass base, .*fast"):
        load("bass")
    with pytest.raises(WeightsError, match=r"no weights .*none\.safetensors"):
        load(tmp_path / "none.safetensors")


def test_files_that_hold_something_else_are_named(tmp_path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_text("no weights")
    with pytest.raises(WeightsError, match=r"a\.safetensors is not a readable safetensors file"):
        load(path)
    save(path, SIZES["tiny"], load("fast").params, {})
    with pytest.raises(WeightsError, match=r"another architecture than its metadata says: .* has the shape .*, not "):
        load(path)
    save_file({"a": np.zeros(1, np.float32)}, path, {"format": "other 3"})
    with pytest.raises(WeightsError, match="has the format 'other 3'; this version reads"):
        load(path)
    for about in ({"config": "["}, {"config": "[]"}, {"earlier": '["x"]'}, {"network": '{"widths": [-1]}'}, {}):
        save_file({"a": np.zeros(1, np.float32)}, path, {"format": FORMAT, **about})
        with pytest.raises(WeightsError, match=r"a\.safetensors is damaged: its metadata has no valid "):
            [read(path) for read in (trained_tasks, identities, load)]
    wrongs = [{"cell": 0}, {"cell": 3}, {"steps": 0}, {"leak": 1.5}, {"leak": "0.1"}, {"bilinear": 1}]
    for wrong in [*wrongs, {"features": [8]}, {"features": [8, 13]}, {"features": 8}]:
        network = json.dumps(dataclasses.asdict(SIZES["tiny"]) | wrong)
        save_file({"a": np.zeros(1, np.float32)}, path, {"format": FORMAT, "network": network})
        with pytest.raises(WeightsError, match=r"a\.safetensors is damaged: its metadata has no valid network"):
            load(path)
