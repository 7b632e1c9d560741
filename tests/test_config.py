"""Configuration: files, overrides, and errors that name the place and the remedy."""

from pathlib import Path

import pytest

from vdiff_jax.config import load
from vdiff_jax.errors import ConfigError
from vdiff_jax.tasks import trained


@pytest.mark.parametrize("path", sorted(Path("configs").glob("*.toml")), ids=lambda path: path.name)
def test_shipped_configurations_load(path):
    assert load(path).train.steps > 0


def test_there_is_a_configuration_for_each_task_and_for_each_set_of_weights():
    tasks = {path.stem: set(load(path).train.tasks) for path in Path("configs").glob("*.toml")}
    assert set(tasks) == {*trained(), "base", "fast"}
    assert tasks["base"] == tasks["fast"] - {"superres", "deblock"}  # these two have weights of their own
    assert all(tasks[name] == {name} for name in trained())


def test_overrides_replace_the_values_of_the_file(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text('[train]\nsteps = 5\nsize = "base"\n')
    config = load(path, {"train.steps": "7", "data.photos": "1"})
    assert (config.train.steps, config.train.size, config.data.photos) == (7, "base", 1.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[train]\nsteeps = 5\n", r"a\.toml, line 2: unknown key train.steeps; the nearest one is train.steps"),
        ("[tran]\nsteps = 5\n", r"a\.toml, line 1: unknown key tran; the nearest one is train"),
        ('[train]\n\nsteps = "five"\n', r"a\.toml, line 3: .*steps"),
        ("[data]\npatch = 97\n", r"a\.toml, line 2: .*97"),
        ("[data]\nphotos = 1.5\n", "1.5"),
        ("[train]\ntasks = { colorize = 1.0 }\n", r"must be some of denoise, .*, not colorize"),
        ("[data]\nframes = 5\n[train]\nunroll = 3\n", "unroll"),
        ("[train\n", "a.toml"),
    ],
)
def test_bad_values_are_errors_that_name_them(tmp_path, text, says):
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        load(path)


def test_the_error_for_a_bad_override_names_the_command_line():
    with pytest.raises(ConfigError, match=r"command line: unknown key train.stepz; the nearest one is train.steps"):
        load(None, {"train.stepz": "5"})


def test_text_in_another_encoding_and_numbers_without_end_are_errors(tmp_path):
    for content in (b"# caf\xe9", b"[train]\nlearning_rate = 1" + 400 * b"0"):
        (tmp_path / "a.toml").write_bytes(content)
        with pytest.raises(ConfigError, match=r"a\.toml"):
            load(tmp_path / "a.toml")


def test_a_missing_file_is_named():
    with pytest.raises(ConfigError, match=r"none\.toml"):
        load("none.toml")
