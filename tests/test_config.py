"""Configuration: what is decoded, and what is refused in words that help."""

from pathlib import Path

import pytest

from vdiff_jax.config import load
from vdiff_jax.errors import ConfigError


@pytest.mark.parametrize("path", sorted(Path("configs").glob("*.toml")), ids=lambda path: path.name)
def test_shipped_configurations_load(path):
    assert load(path).train.steps > 0


def test_overrides_lie_over_the_file(tmp_path):
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
        ("[data]\nframes = 5\n[train]\nunroll = 3\n", "unroll"),
        ("[train\n", "a.toml"),
    ],
)
def test_bad_values_are_named(tmp_path, text, says):
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        load(path)


def test_a_bad_value_on_the_command_line_is_said_to_come_from_there():
    with pytest.raises(ConfigError, match=r"command line: unknown key train.stepz; the nearest one is train.steps"):
        load(None, {"train.stepz": "5"})


def test_no_such_file():
    with pytest.raises(ConfigError, match=r"none\.toml"):
        load("none.toml")
