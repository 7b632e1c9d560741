"""The network of one frame in ONNX Runtime on the processor; arrays pass to JAX and back without a copy."""

from typing import Any

import jax
from flax import nnx

from vdiff_jax.exporting.onnx_model import LAST, make_blocked_model
from vdiff_jax.exporting.runtime import onnx_runtime
from vdiff_jax.runtime.cores import available_cores
from vdiff_jax.weights import Weights


class Session:
    """The ONNX model of one frame's step, ready to run.

    Args:
      network: trained weights.
      size: height and width of the frames, padded.

    Raises:
      MissingError: ONNX Runtime is not installed, or too old.
    """

    def __init__(self, network: Weights, size: tuple[int, int]):
        self._runtime = onnx_runtime()
        self._size = size
        self._network = nnx.merge(network.definition, network.params)
        self._models: dict[bool, Any] = {}

    def __call__(self, tensors: dict[str, jax.Array], *, corrected: bool = True) -> dict[str, jax.Array]:
        """The model's outputs, as `onnx_model.make_blocked_model` names them, but without `LAST`.

        Args:
          tensors: the model's inputs.
          corrected: False leaves the new state as the only output.
        """
        self.load(corrected)
        model = self._models[corrected]
        values = {name + LAST: self._runtime.OrtValue.from_dlpack(tensor) for name, tensor in tensors.items()}
        names = [output.name for output in model.get_outputs()]
        outputs = map(jax.dlpack.from_dlpack, model.run_with_ort_values(names, values))
        return {name.removesuffix(LAST): output for name, output in zip(names, outputs)}

    def load(self, corrected: bool) -> None:
        """Makes the model ready, once; this takes as long as some frames."""
        if corrected in self._models:
            return
        options = self._runtime.SessionOptions()
        options.intra_op_num_threads = available_cores()
        # Threads that wait for work would take the cores from the threads that decode, analyse and encode.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        content = make_blocked_model(self._network, self._size, corrected=corrected).SerializeToString()
        self._models[corrected] = self._runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
