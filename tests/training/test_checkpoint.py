"""Checkpoints: the newest two and the best are kept; a damaged one is skipped."""

import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax.errors import CheckpointError
from vdiff_jax.training.checkpoint import Checkpoints

STATE = {"a": jnp.arange(4.0), "step": jnp.zeros((), int)}


@pytest.fixture
def checkpoints(tmp_path):
    kept = Checkpoints(tmp_path)
    for step, score in {1: 20.0, 2: 30.0, 3: 25.0, 4: None, 5: 29.0}.items():
        kept.save(step, {"a": STATE["a"] * step, "step": jnp.array(step)}, {"next": step}, {"n": step}, score=score)
    kept.wait()
    yield kept
    kept.close()


def truncate_files(folder):
    """Leaves a checkpoint as a full disk does."""
    for path in (path for path in folder.rglob("*") if path.is_file() and path.parent != folder):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_the_newest_two_and_the_best_are_kept(checkpoints):
    assert checkpoints.steps() == [2, 4, 5]
    step, state, iterator = checkpoints.restore(STATE)
    assert (step, iterator, checkpoints.config()) == (5, {"next": 5}, {"n": 5})
    np.testing.assert_array_equal(state["a"], STATE["a"] * 5)


def test_a_damaged_checkpoint_is_skipped_and_replaced(checkpoints, tmp_path, caplog):
    truncate_files(tmp_path / "checkpoints" / "5")
    assert checkpoints.restore(STATE)[0] == 4
    assert "checkpoint 5 cannot be read" in caplog.text
    assert checkpoints.config() == {"n": 4}
    checkpoints.save(5, STATE, {"next": 50}, {"n": 50})
    checkpoints.wait()
    assert checkpoints.restore(STATE)[2] == {"next": 50}


def test_a_checkpoint_of_an_earlier_version_has_no_means(tmp_path):
    kept = Checkpoints(tmp_path)
    kept.save(1, {"params": STATE["a"]}, {"next": 2}, {})
    kept.wait()
    _, state, _ = kept.restore({"params": jnp.zeros(4), "means": {"stem": jnp.ones(2)}})
    np.testing.assert_array_equal(state["params"], STATE["a"])
    np.testing.assert_array_equal(state["means"]["stem"], jnp.ones(2))
    kept.close()


def test_layers_may_have_the_name_of_an_earlier_version(tmp_path):
    kept = Checkpoints(tmp_path)
    kept.save(1, {"params": [{"spread": STATE["a"]}]}, {"next": 2}, {})
    kept.wait()
    _, state, _ = kept.restore({"params": [{"enlarge": jnp.zeros(4)}]})
    np.testing.assert_array_equal(state["params"][0]["enlarge"], STATE["a"])
    kept.close()


def test_no_readable_checkpoint_is_an_error(checkpoints, tmp_path):
    for step in checkpoints.steps():
        truncate_files(tmp_path / "checkpoints" / str(step))
    with pytest.raises(CheckpointError, match="no readable checkpoint"):
        checkpoints.restore(STATE)
