"""The network of one frame as an ONNX graph, laid out as NCHW; one function for each layer of `nn`.

A change of pyramid level is one convolution of stride 2: unshuffle and 1×1 down, 1×1 and shuffle up.
"""

import numpy as np
import onnx
from jaxtyping import Float
from onnx import helper, numpy_helper

from vdiff_jax.nn.blocks import Down, EnlargeImage, Recurrence, Residual, Up
from vdiff_jax.nn.conv import Conv
from vdiff_jax.nn.network import Network
from vdiff_jax.preprocess.grids import block_mean, pairs_to_channels

OPSET = 17
"""The version of ONNX's operators, which runtimes know since 2022."""
Tensor = str
"""The name of a tensor in a graph."""


def correction(network: Network) -> dict[str, int]:
    """The outputs of `correct`, and their channels. The gates are `previous`, `ahead` and `around`, a third each."""
    pixels = network.config.cell**2
    return {"residual": 3 * pixels, "gates": 6 * pixels, "mean": 3 * pixels}


class Graph:
    """An ONNX graph that grows by one node at a time.

    Args:
      blocked: for ONNX Runtime on a processor, whose convolutions keep channels in blocks of 8 or 16. The graph then
        has only operators that take this layout, where it can, so that tensors need not be converted.
    """

    def __init__(self, *, blocked: bool = False):
        self.blocked = blocked
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: Tensor, name: Tensor | None = None, **attributes) -> Tensor:
        """Adds a node and returns its output, called `name` if that is given."""
        name = name or f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [name], name, **attributes))
        return name

    def constant(self, value: np.ndarray | np.float32) -> Tensor:
        """Adds a constant."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def model(self, inputs: dict[Tensor, tuple], outputs: dict[Tensor, tuple]) -> onnx.ModelProto:
        """The model whose inputs and outputs have these shapes; a dimension that is a string may have any size."""
        values = [
            [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in each.items()]
            for each in (inputs, outputs)
        ]
        graph = helper.make_graph(self._nodes, "vdiff_jax", *values, self._constants)
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], producer_name="vdiff_jax")
        # The oldest format of files that knows these operators: older runtimes read it too.
        model.ir_version = helper.find_min_ir_version_for([opset])
        onnx.checker.check_model(model, full_check=True)
        return model


def encode(graph: Graph, network: Network, x: Tensor) -> list[Tensor]:
    """`Network.encode`."""
    features = []
    e = rectified(graph, network, conv(graph, network.stem, x))
    for level, blocks in enumerate(network.encoder):
        e = e if level == 0 else rectified(graph, network, down(graph, network.down[level - 1], e))
        for block in blocks:
            e = residual(graph, block, e)
        features.append(e)
    return features


def rectified(graph: Graph, network: Network, x: Tensor) -> Tensor:
    """The encoder's rectifier."""
    leak = network.config.leak
    return graph.add("LeakyRelu", x, alpha=leak) if leak else graph.add("Relu", x)


def recur(graph: Graph, network: Network, features: list[Tensor], moved: list[Tensor]) -> list[Tensor]:
    """`Network.recur`; the new state is called next_hidden_0, next_hidden_1 and so on."""
    cells = enumerate(zip(network.recurrence, features, moved))
    return [recurrence(graph, cell, e, h, name=f"next_hidden_{level}") for level, (cell, e, h) in cells]


def correct(graph: Graph, network: Network, z: Tensor, hidden: list[Tensor], features: list[Tensor]) -> None:
    """`Network.correct`; adds the outputs named in `correction`."""
    channels = correction(network)["residual"]
    legs, images = [conv(graph, network.inject, z)], [z]
    for layer in network.restrict:
        legs.append(graph.add("Relu", down(graph, layer, graph.add("Relu", legs[-1]))))
        images.append(mean_of_blocks(graph, images[-1], channels if len(images) == 1 else 12))
    mean = block_mean(channels if len(images) == 1 else 12)
    coarse = convolution(graph, images[-1], mean.T[..., None, None])
    y = None
    for level in reversed(range(len(legs))):
        x = graph.add("Add", graph.add("Add", legs[level], features[level]), hidden[level])
        y = x if y is None else graph.add("Add", x, up(graph, network.up[level], y))
        for block in network.decoder[level]:
            y = residual(graph, block, y)
        mean = enlarge(graph, network.enlarge[level], coarse, name=None if level else "mean")
        if level > 0:
            # Each gate is repeated for its channels by repeating the rows of the convolution's matrix.
            kernel, bias = kernel_and_bias(network.conduct[level - 1])
            gate = convolution(
                graph, y, np.einsum("pc,pihw->cihw", pairs_to_channels(8), kernel), bias @ pairs_to_channels(8)
            )
            change = difference(graph, mean, images[level], 12)
            mixed = graph.add("Add", images[level], graph.add("Mul", graph.add("Sigmoid", gate), change))
            coarse = graph.add("DepthToSpace", mixed, blocksize=2, mode="DCR")
    kernel, bias = kernel_and_bias(network.out)
    positive = graph.add("Relu", y)
    around_zero = convolution(graph, positive, kernel[:channels], bias[:channels])
    graph.add("Add", around_zero, conv(graph, network.through, y), name="residual")
    graph.add("Sigmoid", convolution(graph, positive, kernel[channels:], bias[channels:] - 2.0), name="gates")


def block(graph: Graph, x: Tensor) -> Tensor:
    """x in the layout of a blocked graph, for operators other than convolutions: a maximum over one pixel."""
    return graph.add("MaxPool", x, kernel_shape=[1, 1]) if graph.blocked else x


def difference(graph: Graph, a: Tensor, b: Tensor, channels: int) -> Tensor:
    """a - b. In the blocked layout, ONNX Runtime adds and normalises, but does not subtract."""
    if not graph.blocked:
        return graph.add("Sub", a, b)
    one, zero = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    statistics = [graph.constant(each) for each in (-one, zero, zero, one)]
    return graph.add("Add", a, graph.add("BatchNormalization", b, *statistics, epsilon=0.0))


def convolution(
    graph: Graph,
    x: Tensor,
    kernel: Float[np.ndarray, "o i kh kw"],
    bias: Float[np.ndarray, " o"] | None = None,
    *,
    stride: int = 1,
    padding: int | None = None,
    name: Tensor | None = None,
) -> Tensor:
    """A convolution of x with this kernel, padded with zeros; by default it keeps the size of x, or halves it."""
    tensors = [graph.constant(each.astype(np.float32)) for each in (kernel, bias) if each is not None]
    sides = kernel.shape[2:]
    padding = (sides[0] - stride) // 2 if padding is None else padding
    return graph.add("Conv", x, *tensors, name=name, kernel_shape=sides, strides=[stride] * 2, pads=[padding] * 4)


def kernel_and_bias(layer: Conv) -> tuple[Float[np.ndarray, "o i kh kw"], Float[np.ndarray, " o"]]:
    """The parameters of a layer in ONNX's order."""
    return np.asarray(layer.kernel[...], np.float32).transpose(3, 2, 0, 1), np.asarray(layer.bias[...], np.float32)


def conv(graph: Graph, layer: Conv, x: Tensor) -> Tensor:
    """`nn.Conv`."""
    return convolution(graph, x, *kernel_and_bias(layer))


def residual(graph: Graph, block: Residual, x: Tensor) -> Tensor:
    """`nn.Residual`."""
    return graph.add("Add", x, conv(graph, block.second, graph.add("Relu", conv(graph, block.first, x))))


def down(graph: Graph, layer: Down, x: Tensor) -> Tensor:
    """`nn.Down`: one convolution of stride 2."""
    kernel, bias = kernel_and_bias(layer.mix)
    out, channels = kernel.shape[:2]
    blocks = kernel.reshape(out, 2, 2, channels // 4).transpose(0, 3, 1, 2)
    return convolution(graph, x, blocks, bias, stride=2)


def up(graph: Graph, layer: Up, x: Tensor) -> Tensor:
    """`nn.Up`: one transposed convolution of stride 2.

    Its bias has a value for each of a block's four pixels. So it is the kernel of one more input channel of ones.
    """
    kernel, bias = kernel_and_bias(layer.mix)
    blocks = np.concatenate([kernel[..., 0, 0].T, bias[None]])
    blocks = blocks.reshape(len(blocks), 2, 2, -1).transpose(0, 3, 1, 2)
    channel, one = graph.constant(np.array([0, 0, 0, 0, 0, 1, 0, 0])), graph.constant(np.float32(1))
    padded = graph.add("Pad", x, channel, one)
    return block(graph, graph.add("ConvTranspose", padded, graph.constant(blocks), strides=[2, 2]))


def mean_of_blocks(graph: Graph, image: Tensor, channels: int) -> Tensor:
    """The means of the blocks of an unshuffled image of so many channels, unshuffled."""
    kernel = np.einsum("iaby,cj->iabjcy", np.eye(4).reshape(4, 2, 2, 1), block_mean(channels))[..., 0]
    # Output channel (block's pixel, colour) takes the mean of that pixel's channels.
    return convolution(graph, image, kernel.transpose(0, 3, 4, 1, 2).reshape(12, channels, 2, 2), stride=2)


def enlarge(graph: Graph, layer: EnlargeImage, image: Tensor, *, name: Tensor | None = None) -> Tensor:
    """`nn.EnlargeImage`: the image is padded with its edges."""
    edges = graph.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1]))
    padded = graph.add("Pad", image, edges, mode="edge")
    return convolution(graph, padded, *kernel_and_bias(layer.mix), padding=0, name=name)


def recurrence(graph: Graph, cell: Recurrence, e: Tensor, moved: Tensor, *, name: Tensor) -> Tensor:
    """`nn.Recurrence`."""
    kernel, bias = kernel_and_bias(cell.input)
    width = len(kernel) // 2
    moved = block(graph, moved)
    new = graph.add("Add", conv(graph, cell.recur, moved), convolution(graph, e, kernel[:width], bias[:width]))
    keep = graph.add("Add", conv(graph, cell.gate, moved), convolution(graph, e, kernel[width:], bias[width:]))
    change = difference(graph, graph.add("Tanh", new), moved, width)
    return graph.add("Add", moved, graph.add("Mul", graph.add("Sigmoid", keep), change), name=name)
