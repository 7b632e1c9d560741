"""`vdiff_jax.export`: from the name of weights to a file."""

from pathlib import Path
from typing import Any

from flax import nnx

from vdiff_jax import media
from vdiff_jax.errors import MissingError, OptionError, WeightsError
from vdiff_jax.nn.network import Network
from vdiff_jax.weights import load

FORMATS = ("onnx", "stablehlo")


def export(
    output: str | Path, *, weights: str | Path = "base", format: str = "onnx", size: tuple[int, int] | None = None
) -> dict[str, Any]:
    """Writes the network's part of one frame's step, for other runtimes. README.md beside this file describes it.

    Args:
      output: the file to write.
      weights: the name of weights in the package, or a file of weights.
      format: "onnx", or "stablehlo" as `jax.export.deserialize` reads it.
      size: width and height of the frames; `None`: any.

    Returns:
      The report: what was written.

    Raises:
      OptionError: an unknown format, one that the ending of `output` contradicts, or a size that the network does not
        take.
      WeightsError: no such weights, or weights that cannot be exported.
      MissingError: the package `onnx` is not installed.
      OutputError: the file can't be written.
    """
    if format not in FORMATS:
        raise OptionError(f"unknown format {format}: pass one of {', '.join(FORMATS)}")
    media.check_file(output, [weights], such_as=f"{Path(weights).stem}.{format}")
    named = Path(output).suffix.lower().removeprefix(".")
    if named in FORMATS and named != format:
        raise OptionError(f"{output} ends in .{named}, but the format is {format}: pass the other ending or format")
    loaded = load(weights)
    network = nnx.merge(loaded.definition, loaded.params)
    if network.config.steps != 1:
        raise WeightsError(
            f"{weights} has {network.config.steps} V-cycles a frame: export takes weights that were trained with one"
        )
    sides = _checked(size, network.config.multiple)
    written = _onnx(network, sides) if format == "onnx" else _stablehlo(network, sides)
    media.write_bytes(output, written)
    return {"output": str(output), "format": format, "weights": str(weights), "size": size, "bytes": len(written)}


def _checked(size: tuple[int, int] | None, multiple: int) -> tuple[int, int] | None:
    """The frames' height and width."""
    if size is None:
        return None
    width, height = (max(1, -(-side // multiple)) * multiple for side in size)
    if (width, height) != tuple(size):
        raise OptionError(
            f"the size {size[0]}x{size[1]} is not a multiple of {multiple}: pass {width}x{height} and pad the frames"
        )
    return height, width


def _onnx(network: Network, size: tuple[int, int] | None) -> bytes:
    try:
        from vdiff_jax.exporting.onnx_model import make_model
    except ImportError as error:
        raise MissingError("export to ONNX needs the package onnx: pip install 'vdiff_jax[onnx]'") from error
    return make_model(network, size).SerializeToString()


def _stablehlo(network: Network, size: tuple[int, int] | None) -> bytes:
    from vdiff_jax.exporting.stablehlo import serialize

    return serialize(network, size)
