"""What is exported gives what JAX does (exporting/__init__.py, exporting/onnx_graph.py, exporting/onnx_model.py)."""

import json
import sys
from collections import Counter
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
import pytest
from flax import nnx

import vdiff_jax
from vdiff_jax import infer, weights
from vdiff_jax.diffusion.step import input_channels
from vdiff_jax.errors import MissingError, OptionError, OutputError, WeightsError
from vdiff_jax.exporting.onnx_model import make_blocked_model
from vdiff_jax.exporting.stablehlo import frame_step
from vdiff_jax.nn.network import Network, NetworkConfig

CONFIG = NetworkConfig(
    widths=(4, 6, 8), encoder=((), (6,), ()), decoder=((3,), (), (8,)), reach=(1, 3, 1), features=(3, 4, 8)
)
CONFIGS = [CONFIG, NetworkConfig(widths=(4, 6), encoder=((), ()), decoder=((4,), (6,)), reach=(1, 3), cell=4, leak=0.2)]
SIZES = [(24, 32), (16, 40)]


def drawn(config):
    """A network's definition, and random parameters that are large enough for differences to show."""
    rng = np.random.default_rng(0)
    definition, params = nnx.split(nnx.eval_shape(lambda: Network(config, inputs=input_channels(config))))

    def draw(leaf):
        return jnp.asarray(rng.normal(0, 0.7 / max(1, np.prod(leaf.shape[:-1])) ** 0.5, leaf.shape), jnp.float32)

    return definition, jax.tree.map(draw, params)


@pytest.fixture(scope="module", params=CONFIGS)
def network(request):
    return nnx.merge(*drawn(request.param))


@pytest.fixture(scope="module")
def file(tmp_path_factory, network):
    """A file of weights."""
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    weights.save(path, network.config, drawn(network.config)[1], {})
    return path


def tensors(config, height, width):
    """Random inputs of the model for frames of this size."""
    rng = np.random.default_rng(1)
    shapes = {"input": (input_channels(config), config.cell)}
    shapes |= {f"hidden_{n}": (count, config.cell << n) for n, count in enumerate(config.widths)}
    return {
        name: rng.uniform(-1, 1, (1, channels, height // cell, width // cell)).astype(np.float32)
        for name, (channels, cell) in shapes.items()
    }


@pytest.fixture(scope="module")
def expected(network):
    """JAX's outputs for each of `SIZES`."""
    return {
        size: jax.jit(partial(frame_step, network))(jax.tree.map(jnp.asarray, tensors(network.config, *size)))
        for size in SIZES
    }


def different(made, expected) -> list[str]:
    """The names of the outputs that differ by more than rounding, or that only one of the two has."""
    both = made.keys() & expected.keys()
    return sorted(made.keys() ^ expected.keys()) + [
        name for name in sorted(both) if not np.allclose(made[name], expected[name], rtol=1e-7, atol=1e-5)
    ]


@pytest.mark.parametrize("size", [None, (32, 24)])
def test_onnx_runtime_gives_what_jax_gives(network, file, tmp_path, expected, size):
    vdiff_jax.export(tmp_path / "small.onnx", weights=file, size=size)
    session = onnxruntime.InferenceSession(tmp_path / "small.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    for height, width in SIZES if size is None else SIZES[:1]:
        made = dict(zip(names, session.run(names, tensors(network.config, height, width))))
        assert different(made, expected[height, width]) == []


def test_onnx_runtime_keeps_one_layout_on_a_processor(tmp_path):
    config = NetworkConfig(widths=(16, 32), encoder=((), ()), decoder=((16,), (32,)), reach=(1, 3))
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.optimized_model_filepath = 4, str(tmp_path / "optimized.onnx")
    content = make_blocked_model(nnx.merge(*drawn(config)), (32, 48)).SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    operators = Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)
    ends = len(session.get_inputs()) + len(session.get_outputs())
    # The guess, each change of level of the features, and three places of the small image are converted too.
    assert operators["ReorderInput"] + operators["ReorderOutput"] <= ends + 6, operators
    assert operators["Transpose"] <= 1, operators


def test_stablehlo_gives_what_jax_gives(network, file, tmp_path, expected):
    vdiff_jax.export(tmp_path / "small.stablehlo", weights=file, format="stablehlo")
    exported = jax.export.deserialize(bytearray((tmp_path / "small.stablehlo").read_bytes()))
    for size in SIZES:
        assert different(exported.call(jax.tree.map(jnp.asarray, tensors(network.config, *size))), expected[size]) == []


def test_the_command_says_and_reports_what_it_wrote(tmp_path, capsys):
    output, report = tmp_path / "fast.onnx", tmp_path / "report.json"
    arguments = ["export", "--weights", "fast", "--size", "640x360", "-o", str(output), "--report", str(report)]
    assert infer.main(arguments) == 0
    assert f"{output}: fast as ONNX, for frames of 640x360" in capsys.readouterr().err
    assert json.loads(report.read_text())["bytes"] == output.stat().st_size
    shape = onnx.load(output).graph.input[0].type.tensor_type.shape
    assert [dimension.dim_value for dimension in shape.dim] == [1, 52, 180, 320]


def test_what_can_not_be_exported_is_named(tmp_path, monkeypatch):
    output = tmp_path / "out.onnx"
    with pytest.raises(OptionError, match="854x480 is not a multiple of 8: pass 856x480"):
        vdiff_jax.export(output, size=(854, 480))
    with pytest.raises(OptionError, match="unknown format mlmodel: pass one of onnx, stablehlo"):
        vdiff_jax.export(output, format="mlmodel")
    with pytest.raises(WeightsError, match="no weights bsae"):
        vdiff_jax.export(output, weights="bsae")
    with pytest.raises(OptionError, match=r"ends in \.stablehlo, but the format is onnx"):
        vdiff_jax.export(tmp_path / "base.stablehlo")
    with pytest.raises(OutputError, match=r"is a folder: pass the name of a file, such as base\.onnx"):
        vdiff_jax.export(tmp_path)
    with pytest.raises(OutputError, match="no folder"):
        vdiff_jax.export(tmp_path / "none" / "out.onnx")
    several = NetworkConfig(widths=(4, 6), encoder=((), ()), decoder=((), ()), reach=(1, 1), steps=2)
    weights.save(tmp_path / "several.safetensors", several, drawn(several)[1], {})
    with pytest.raises(WeightsError, match="has 2 V-cycles a frame"):
        vdiff_jax.export(output, weights=tmp_path / "several.safetensors")
    monkeypatch.setitem(sys.modules, "vdiff_jax.exporting.onnx_model", None)
    with pytest.raises(MissingError, match="pip install 'vdiff_jax\\[onnx\\]'"):
        vdiff_jax.export(output)
    assert not output.exists()
