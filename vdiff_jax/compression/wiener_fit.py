"""The least squares fit of the Wiener step to samples whose original frames are known.

`operator_responses` of postprocess/wiener.py gives each plane the responses of k operators, such as the difference to
the next frame. The Wiener step adds them to the decoded plane, each multiplied by a coefficient. Least squares needs
only the products of the responses with each other and with the error of the decoded plane.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vdiff_jax.compression.samples import Sample
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.wiener import operator_responses


class Moments(NamedTuple):
    """Products of the decoded plane's error and the k responses, as means over each of n frames' Y', Cb and Cr.

    Attributes:
      error: the squared error.
      cross: the error times each response.
      gram: each response times each response.
    """

    error: Float[np.ndarray, "n 3"]
    cross: Float[np.ndarray, "n 3 k"]
    gram: Float[np.ndarray, "n 3 k k"]

    def best(self, used: slice = slice(None)) -> Float[np.ndarray, "3 k"]:
        """The coefficients of least error, relative to each frame's error before; 0 for operators that are not used."""
        weight = 1 / np.maximum(self.error, 1e-3)
        gram = np.einsum("nc,nckl->ckl", weight, self.gram)[:, used, used]
        cross = np.einsum("nc,nck->ck", weight, self.cross)[:, used]
        size = gram.shape[-1]
        ridge = 1e-4 * np.trace(gram, axis1=1, axis2=2)[:, None, None] / size + 1e-9
        coefficients = np.zeros((3, self.cross.shape[-1]))
        coefficients[:, used] = -np.linalg.solve(gram + ridge * np.eye(size), cross[..., None])[..., 0]
        return coefficients

    def error_after(self, coefficients: Float[np.ndarray, "3 k"]) -> Float[np.ndarray, "n 3"]:
        """The mean squared error that the Wiener step leaves."""
        linear = 2 * np.einsum("nck,ck->nc", self.cross, coefficients)
        return self.error + linear + np.einsum("nckl,ck,cl->nc", self.gram, coefficients, coefficients)

    def gain(self, coefficients: Float[np.ndarray, "3 k"]) -> Float[np.ndarray, "3"]:
        """How many dB the Wiener step adds to the PSNR of Y', Cb and Cr, as a mean over the frames."""
        after = np.maximum(self.error_after(coefficients), 0)
        return 10 * np.log10((self.error + 1e-3) / (after + 1e-3)).mean(axis=0)


def moments(sample: Sample, restored: Sequence[Frame], pixels: PixelFormat, sigma: Float[np.ndarray, "3"]) -> Moments:
    """The moments of a sample's measured frames.

    Args:
      sample: the sample.
      restored: its frames as the network restored them, or the decoded frames if no network is used.
      pixels: the format of all these frames.
      sigma: the expected error of Y', Cb and Cr, in sample values.
    """
    rows = []
    measured = set(range(len(sample.decoded))[sample.measured])
    for index, (frame, responses) in enumerate(operator_responses(sample.decoded, restored, pixels, sigma)):
        if index in measured:
            rows.append([_products(*plane) for plane in zip(frame.planes, sample.source[index].planes, responses)])
            rows[-1] += [tuple(np.zeros_like(part) for part in rows[-1][0])] * (3 - len(rows[-1]))
    return Moments(*(np.array([[plane[part] for plane in row] for row in rows]) for part in range(3)))


def concatenate(parts: Sequence[Moments]) -> Moments:
    """The moments of several samples as one."""
    return Moments(*(np.concatenate(column) for column in zip(*parts)))


def _products(plane: np.ndarray, truth: np.ndarray, responses: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    error = plane.astype(np.float32).ravel() - truth.ravel()
    rows = np.stack(responses).reshape(len(responses), -1)
    return np.asarray(np.mean(error**2, dtype=np.float64)), rows @ error / error.size, rows @ rows.T / error.size
