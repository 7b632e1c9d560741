"""The ONNX model of one frame's step: its inputs, its outputs and their shapes."""

import numpy as np
import onnx

from vdiff_jax.diffusion.step import INPUTS
from vdiff_jax.exporting.onnx_graph import CORRECTION, Graph, correct, encode, recur
from vdiff_jax.nn.network import Network

_FIRST_CHANNELS = (np.array([0]), np.array([12]), np.array([1]))
LAST = "_nhwc"


def make_model(
    network: Network, size: tuple[int, int] | None = None, *, corrected: bool = True, channels_last: bool = False
) -> onnx.ModelProto:
    """The network's part of one frame's step.

    Its inputs are `input`, the encoder's input (`step.INPUTS` channels at half the frame's size), and the hidden state
    moved to the frame, `hidden_0` (half size), `hidden_1` (a quarter) and so on. Its outputs are the new state,
    `next_hidden_0` and so on, and those in `CORRECTION`. All are laid out as NCHW.

    Args:
      network: the network, of one V-cycle a frame.
      size: height and width of the frames; `None`: any that are multiples of `network.config.multiple`.
      corrected: False leaves the new state as the only output.
      channels_last: the inputs and outputs are laid out as NHWC, as in JAX, and their names end with `LAST`.
    """
    graph = Graph()
    levels = range(len(network.config.widths))
    shapes = [(1, width, *_sides(size, level)) for level, width in enumerate(network.config.widths)]
    inputs = {"input": (1, INPUTS, *_sides(size, 0))} | {f"hidden_{level}": shapes[level] for level in levels}
    if channels_last:
        for name in inputs:
            graph.add("Transpose", name + LAST, name=name, perm=[0, 3, 1, 2])
    features = encode(graph, network, "input")
    hidden = recur(graph, network, features, [f"hidden_{level}" for level in levels])
    outputs = dict(zip(hidden, shapes))
    if corrected:
        # The encoder's input begins with the first guess less 0.5.
        bounds = [graph.constant(each) for each in _FIRST_CHANNELS]
        correct(graph, network, graph.add("Slice", "input", *bounds), hidden, features)
        outputs |= {name: (1, channels, *_sides(size, 0)) for name, channels in CORRECTION.items()}
    if channels_last:
        for name in outputs:
            graph.add("Transpose", name, name=name + LAST, perm=[0, 2, 3, 1])
        inputs, outputs = (
            {name + LAST: (*shape[:1], *shape[2:], shape[1]) for name, shape in each.items()}
            for each in (inputs, outputs)
        )
    return graph.model(inputs, outputs)


def _sides(size: tuple[int, int] | None, level: int) -> tuple[int | str, int | str]:
    """Height and width at a level of the pyramid."""
    if size is None:
        return tuple(f"{side}/{2 << level}" for side in ("height", "width"))
    return tuple(side >> (level + 1) for side in size)
