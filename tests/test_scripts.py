"""The programs in scripts/: each one's `--help`, scripts/README.md, and scripts/house.py."""

import argparse
import dataclasses
import runpy
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from vdiff_jax.diffusion.step import input_channels
from vdiff_jax.nn.network import NetworkConfig, with_whole_encoder
from vdiff_jax.training.step import build

SCRIPTS = Path("scripts")
NAMES = sorted(path.name for path in SCRIPTS.glob("*.py"))


@pytest.fixture(autouse=True)
def _modules_of_scripts(monkeypatch):
    """What Python does when a script is run: modules beside it can be imported."""
    monkeypatch.syspath_prepend(str(SCRIPTS))


@pytest.mark.parametrize("words", [[name] for name in NAMES] + [["benchmark.py", "compress"]], ids=" ".join)
def test_help_explains_every_argument(words, monkeypatch, capsys):
    parsers = []
    parse = argparse.ArgumentParser.parse_args

    def note(parser, *arguments):
        parsers.append(parser)
        return parse(parser, *arguments)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", note)
    monkeypatch.setattr(sys, "argv", [*words, "--help"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(SCRIPTS / words[0]), run_name="__main__")
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith("usage:")
    [parser] = parsers
    assert "python scripts/" in parser.description
    assert [action.dest for action in parser._actions if not action.help] == []


@pytest.mark.parametrize("name", NAMES)
def test_readme_lists_every_script(name):
    assert f"`{name}`" in (SCRIPTS / "README.md").read_text()


def test_a_network_without_its_silent_channels_gives_the_same():
    prune = SimpleNamespace(**runpy.run_path(str(SCRIPTS / "prune.py")))
    size = NetworkConfig(widths=(20, 24, 28), encoder=((), (), (8,)), decoder=((20, 4, 4), (6,), (5,)), reach=(1, 1, 1))
    rng = np.random.default_rng(0)
    params = {name: rng.normal(0, 0.2, leaf.shape) for name, leaf in prune.parameters(build(size)[1]).items()}
    silent = ("encoder.2.0", "decoder.2.0", "decoder.1.0", "decoder.0.1")
    layers = [*(f"{block}.first" for block in blocks(size)), "stem", "down.0.mix", "down.1.mix"]
    active = {layer: np.arange(len(params[f"{layer}.bias"])) % 4 > 0 for layer in layers}
    active["stem"] = np.arange(20) % 3 > 0
    for block in silent:
        active[f"{block}.first"][:] = False
    for layer, channels in active.items():
        params[f"{layer}.bias"][~channels] = -1e4
    x = jnp.asarray(rng.normal(size=(1, 16, 24, input_channels(size))), jnp.float32)
    thin, smaller = prune.thinned(size, params, active)
    assert (thin.encoder, thin.decoder, thin.features) == (((), (), ()), ((16, 4), (), ()), (16, 24, 24))
    found, expected = corrected(prune, thin, smaller, x), corrected(prune, size, params, x)
    assert_same_correction(found, expected)
    whole = with_whole_encoder(nnx.merge(build(thin)[0], prune.state(thin, smaller)))
    assert whole.config.encoded == size.widths
    assert_same_correction(corrected(prune, whole.config, prune.parameters(nnx.state(whole)), x), expected)


def assert_same_correction(found, expected):
    """The hidden state's channels may be in another order."""
    (hidden, correction), (expected_hidden, expected_correction) = found, expected
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-4), correction, expected_correction)
    for one, other in zip(hidden, expected_hidden):
        np.testing.assert_allclose(np.sort(one.sum((1, 2))), np.sort(other.sum((1, 2))), rtol=1e-3, atol=1e-2)


def test_a_network_with_new_channels_gives_the_same_until_it_is_trained():
    regrow = SimpleNamespace(**runpy.run_path(str(SCRIPTS / "regrow.py")))
    size = NetworkConfig(widths=(4, 6, 8), decoder=((4,), (), (5,)), reach=(1, 1, 1))
    rng = np.random.default_rng(0)
    params = {name: rng.normal(0, 0.2, leaf.shape) for name, leaf in regrow.parameters(build(size)[1]).items()}
    layers = [name for name in params if name.endswith(("first.bias", "stem.bias")) or name.startswith("down.")]
    active = {name.removesuffix(".bias"): np.arange(params[name].size) % 3 for name in layers if name.endswith("bias")}
    for layer, channels in active.items():
        params[f"{layer}.bias"][channels == 0] = -1e4
    means = {name.removesuffix(".kernel"): np.zeros(leaf.shape[2]) for name, leaf in params.items() if leaf.ndim == 4}
    larger = dataclasses.replace(size, decoder=((8, 4), (6,), (5,)))
    grown = regrow.with_new_blocks(regrow.encoder_anew(params, active), size, larger, means, active)
    x = jnp.asarray(rng.normal(size=(1, 16, 24, input_channels(size))), jnp.float32)
    found, expected = corrected(regrow, larger, grown, x), corrected(regrow, size, params, x)
    jax.tree.map(partial(np.testing.assert_allclose, atol=0.01), found, expected)
    assert (grown["stem.bias"] > -1).all()
    assert grown["decoder.0.1.first.kernel"].any()


def blocks(size):
    parts = [(part, getattr(size, part)) for part in ("encoder", "decoder")]
    return [f"{part}.{n}.{k}" for part, levels in parts for n, level in enumerate(levels) for k in range(len(level))]


def corrected(prune, size, params, x):
    """The hidden state and the correction of a frame."""

    @jax.jit
    def run(state, x):
        network = nnx.merge(build(size)[0], state)
        features = network.encode(x)
        moved = [jnp.full((*feature.shape[:-1], width), 0.3) for feature, width in zip(features, network.config.widths)]
        hidden = network.recur(features, moved)
        return hidden, network.correct(x[..., :12], hidden, features)

    return run(prune.state(size, params), x)


@pytest.mark.parametrize(("difference", "code"), [(9e-4, False), (2e-3, True)])
def test_device_check_fails_where_a_device_is_wrong(monkeypatch, capsys, tmp_path, difference, code):
    main = runpy.run_path(str(SCRIPTS / "device_check.py"))["main"]

    def too_large(name, size):
        raise RuntimeError("out of\nmemory")

    fakes = {"agreement": lambda name: ("compared", {"difference": difference}), "repair_speed": too_large}
    for name, fake in (fakes | {"training_speed": lambda *arguments: ("fast", {})}).items():
        monkeypatch.setitem(main.__globals__, name, fake)
    monkeypatch.setattr(sys, "argv", ["device_check.py", "--json", str(tmp_path / "out.json")])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == code
    lines = capsys.readouterr().out.splitlines()
    assert "| repair, `base`, 1920x1080 | failed: out of memory |" in lines
    assert lines[-1].startswith("| peak memory | ")


@pytest.fixture
def house():
    return argparse.Namespace(**runpy.run_path(str(SCRIPTS / "house.py")))


def test_house_measures_files_and_functions(tmp_path, house):
    (tmp_path / "short.py").write_text('"""A module."""\n\n\ndef public(a: int, b):\n    """It."""\n    return a\n')
    (tmp_path / "long.py").write_text("@cached\ndef long():\n" + "    pass\n" * 59 + "\n" * 240)
    found = house.measure(tmp_path)
    assert sorted(length.lines for length in found.files) == [6, 301]
    assert sorted(length.lines for length in found.functions) == [3, 61]
    assert sorted(found.documented) == [False, False, True, True]
    assert sorted(found.annotated) == [False, True]
    assert [message.split(" has ")[1] for message in house.too_long(found)] == [
        "301 lines, more than 300: split it",
        "61 lines, more than 60: split it",
    ]


def test_house_lists_modules_without_a_test(tmp_path, house):
    package, tests = tmp_path / "package", tmp_path / "tests"
    (package / "room").mkdir(parents=True)
    (tests / "room").mkdir(parents=True)
    for name in ("imported", "taken", "named", "mirrored", "forgotten"):
        (package / "room" / f"{name}.py").touch()
    (package / "room/__init__.py").write_text('"""Holds nothing else."""\n')
    (tests / "room/test_mirrored.py").touch()
    lines = ['"""Tests room/named.py."""', "import package.room.imported", "from package.room import taken"]
    (tests / "test_others.py").write_text("\n".join(lines))
    assert house.modules_without_test(package, tests) == [str(package / "room/forgotten.py")]
