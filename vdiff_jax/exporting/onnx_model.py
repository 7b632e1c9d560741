"""The ONNX model of one frame's step: its inputs, its outputs and their shapes."""

import numpy as np
import onnx

from vdiff_jax.diffusion.step import input_channels
from vdiff_jax.exporting.onnx_graph import Graph, correct, correction, encode, recur
from vdiff_jax.nn.network import Network, with_whole_encoder

LAST = "_nhwc"
Shapes = dict[str, tuple[int | str, ...]]


def make_model(network: Network, size: tuple[int, int] | None = None) -> onnx.ModelProto:
    """The network's part of one frame's step.

    Its inputs are `input`, the encoder's input (`step.input_channels` channels on the network's finest level), and the
    hidden state moved to the frame, `hidden_0` (the finest level), `hidden_1` and so on. Its outputs are the new state,
    `next_hidden_0` and so on, and those in `onnx_graph.correction`. All are laid out as NCHW.

    Args:
      network: the network, of one V-cycle a frame.
      size: height and width of the frames; `None`: any that are multiples of `network.config.multiple`.
    """
    graph = Graph()
    inputs, states, corrections = _shapes(network, size)
    features, hidden = _encode_and_recur(graph, network)
    # The encoder's input begins with the first guess less 0.5.
    correct(graph, network, _guess(graph, network, "input", axis=1), hidden, features)
    return graph.model(inputs, states | corrections)


def make_blocked_model(network: Network, size: tuple[int, int], *, corrected: bool = True) -> onnx.ModelProto:
    """The same for ONNX Runtime on a processor. Inputs and outputs are NHWC, as in JAX; their names end with `LAST`.

    Args:
      network: the network, of one V-cycle a frame.
      size: height and width of the frames.
      corrected: False leaves the new state as the only output.
    """
    graph = Graph(blocked=True)
    inputs, states, corrections = _shapes(network, size)
    for name in inputs:
        graph.add("Transpose", name + LAST, name=name, perm=[0, 3, 1, 2])
    features, hidden = _encode_and_recur(graph, network)
    outputs = states
    if corrected:
        guess = _guess(graph, network, "input" + LAST, axis=3)
        correct(graph, network, graph.add("Transpose", guess, perm=[0, 3, 1, 2]), hidden, features)
        outputs = states | corrections
    for name in outputs:
        graph.add("Transpose", name, name=name + LAST, perm=[0, 2, 3, 1])
    return graph.model(_channels_last(inputs), _channels_last(outputs))


def _encode_and_recur(graph: Graph, network: Network) -> tuple[list[str], list[str]]:
    network = with_whole_encoder(network)  # ONNX Runtime takes channels in blocks of 16 anyway
    features = encode(graph, network, "input")
    return features, recur(graph, network, features, [f"hidden_{level}" for level in range(len(features))])


def _guess(graph: Graph, network: Network, x: str, *, axis: int) -> str:
    """The first guess less 0.5: the first channels of the encoder's input."""
    bounds = (0, correction(network)["residual"], axis)
    return graph.add("Slice", x, *(graph.constant(np.array([bound])) for bound in bounds))


def _shapes(network: Network, size: tuple[int, int] | None) -> tuple[Shapes, Shapes, Shapes]:
    """The shapes of the inputs, of the new state and of the corrections."""
    shapes = [(1, width, *_sides(network, size, level)) for level, width in enumerate(network.config.widths)]
    inputs = {"input": (1, input_channels(network.config), *_sides(network, size, 0))} | {
        f"hidden_{n}": shape for n, shape in enumerate(shapes)
    }
    states = {f"next_hidden_{n}": shape for n, shape in enumerate(shapes)}
    corrections = {name: (1, count, *_sides(network, size, 0)) for name, count in correction(network).items()}
    return inputs, states, corrections


def _channels_last(shapes: Shapes) -> Shapes:
    return {name + LAST: (*shape[:1], *shape[2:], shape[1]) for name, shape in shapes.items()}


def _sides(network: Network, size: tuple[int, int] | None, level: int) -> tuple[int | str, int | str]:
    """Height and width at a level of the pyramid."""
    scale = network.config.cell << level
    if size is None:
        return tuple(f"{side}/{scale}" for side in ("height", "width"))
    return tuple(side // scale for side in size)
