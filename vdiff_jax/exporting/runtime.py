"""ONNX Runtime, an optional dependency."""

from typing import Any

from vdiff_jax.errors import MissingError


def onnx_runtime() -> Any:
    """The package `onnxruntime`.

    Raises:
      MissingError: it or `onnx` is not installed, or too old.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ImportError as error:
        raise MissingError("--backend onnx needs ONNX Runtime: pip install 'vdiff_jax[onnx]'") from error
    if not hasattr(onnxruntime.OrtValue, "__dlpack__"):
        raise MissingError(
            f"ONNX Runtime {onnxruntime.__version__} is too old for --backend onnx: "
            "pip install --upgrade onnxruntime, or pass --backend jax"
        )
    return onnxruntime
