"""The least squares fit of the Wiener step to samples whose original frames are known.

`operator_responses` of postprocess/wiener.py gives each plane the responses of k operators, such as the difference to
the next frame. The Wiener step adds them to the decoded plane, each multiplied by a coefficient. Luma's coefficients
depend on the class of the sample. Least squares needs only the products of the responses with each other and with the
error of the decoded plane.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vdiff_jax.compression.samples import Sample
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.wiener import DIRECTIONS, activity, classes_of
from vdiff_jax.postprocess.wiener_operators import LUMA_OPERATORS, OPERATORS, operator_responses

ACTIVITIES = 4
"""Classes of luma samples by activity that moments are measured for, each with all directions. They may be merged."""


_STEPS = (3, 5, 7)
"""One in 3, 5 or 7 samples of a plane is measured: the first of these numbers that does not divide its width."""


class Moments(NamedTuple):
    """Products of the decoded plane's error and the k responses, for each of n frames.

    There are p planes: luma's classes, Cb and Cr. Sums over a class are divided by the samples of the plane.
    So luma's moments are the sums of its classes' moments.

    Attributes:
      error: the squared error.
      cross: the error times each response.
      gram: each response times each response.
    """

    error: Float[np.ndarray, "n p"]
    cross: Float[np.ndarray, "n p k"]
    gram: Float[np.ndarray, "n p k k"]

    def merged(self, activities: int, directions: int) -> "Moments":
        """The moments with fewer classes.

        Args:
          activities: classes by activity, a divisor of `ACTIVITIES`.
          directions: classes by direction: 1 or `DIRECTIONS`.
        """

        def merge(part: np.ndarray) -> np.ndarray:
            shape = (activities, ACTIVITIES // activities, directions, DIRECTIONS // directions)
            luma = part[:, :-2].reshape(len(part), *shape, *part.shape[2:]).sum(axis=(2, 4))
            return np.concatenate([luma.reshape(len(part), -1, *part.shape[2:]), part[:, -2:]], axis=1)

        return Moments(*(merge(part) for part in self))

    def best(self, used: slice = slice(None)) -> Float[np.ndarray, "p k"]:
        """The coefficients that minimise the error relative to each frame's error before; 0 for unused operators."""
        cross, gram = self.by_class()
        coefficients = np.zeros(cross.shape)
        coefficients[:, used] = -_solved(gram[:, used, used], cross[:, used])
        return coefficients

    def by_class(self) -> tuple[Float[np.ndarray, "p k"], Float[np.ndarray, "p k k"]]:
        """`cross` and `gram`, as sums over the frames, each divided by its plane's error before."""
        weight = 1 / np.maximum(self.plane_errors(), 1e-3)
        return np.einsum("nc,nck->ck", weight, self.cross), np.einsum("nc,nckl->ckl", weight, self.gram)

    def plane_errors(self) -> Float[np.ndarray, "n p"]:
        """The squared error of the plane that each class is part of."""
        return np.repeat(_by_plane(self.error), [self.error.shape[1] - 2, 1, 1], axis=1)

    def error_after(self, coefficients: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "n 3"]:
        """The mean squared error of Y', Cb and Cr that the Wiener step leaves."""
        linear = 2 * np.einsum("nck,ck->nc", self.cross, coefficients)
        after = self.error + linear + np.einsum("nckl,ck,cl->nc", self.gram, coefficients, coefficients)
        return _by_plane(after)

    def gain(self, coefficients: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "3"]:
        """How many dB the Wiener step adds to the PSNR of Y', Cb and Cr, as a mean over the frames."""
        after = np.maximum(self.error_after(coefficients), 0)
        return 10 * np.log10((_by_plane(self.error) + 1e-3) / (after + 1e-3)).mean(axis=0)


def with_predicted_change(run: Moments, rest: Moments) -> Moments:
    """The moments of all frames, of which the network was run only on some.

    The network's change, the last response, is predicted in the rest: it is the combination of the other responses that
    is nearest to it where the network was run, plus a remainder. The remainder's products are in proportion to the
    frame's error.

    Args:
      run: moments of the frames that the network was run on.
      rest: moments of the other frames; those with the last response count for nothing.
    """
    cross, gram = run.by_class()
    near = _solved(gram[:, :-1, :-1], gram[:, :-1, -1])
    left = gram[:, -1, -1] - np.einsum("ck,ck->c", near, gram[:, :-1, -1])
    left_with_error = cross[:, -1] - np.einsum("ck,ck->c", near, cross[:, :-1])
    share = rest.plane_errors() / len(run.error)
    with_others = np.einsum("nckl,cl->nck", rest.gram[..., :-1, :-1], near)
    whole_cross, whole_gram = rest.cross.copy(), rest.gram.copy()
    whole_cross[..., -1] = np.einsum("nck,ck->nc", rest.cross[..., :-1], near) + share * left_with_error
    whole_gram[..., :-1, -1] = whole_gram[..., -1, :-1] = with_others
    whole_gram[..., -1, -1] = np.einsum("nck,ck->nc", with_others, near) + share * np.maximum(left, 0)
    return concatenate([run, Moments(rest.error, whole_cross, whole_gram)])


def _solved(gram: Float[np.ndarray, "p k k"], cross: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "p k"]:
    """For each class, the coefficients of the combination of responses nearest to what `cross` is the products with."""
    size = gram.shape[-1]
    ridge = 1e-4 * np.trace(gram, axis1=1, axis2=2)[:, None, None] / size + 1e-9
    return np.linalg.solve(gram + ridge * np.eye(size), cross[..., None])[..., 0]


def class_thresholds(samples: Sequence[Sample], pixels: PixelFormat, octave: int) -> tuple[int, ...]:
    """Thresholds of the activity between `ACTIVITIES` classes with about as many samples each.

    Args:
      samples: the samples.
      pixels: the format of their frames.
      octave: the thresholds are logarithms to base 2 of 8-bit units, multiplied by this.
    """
    measured = [activity(frame.planes[0], pixels)[::4, ::4].ravel() for sample in samples for frame in sample.decoded]
    limits = np.quantile(np.concatenate(measured), np.arange(1, ACTIVITIES) / ACTIVITIES)
    return tuple(int(n) for n in np.round(octave * np.log2(np.maximum(limits, 1 / 16))))


def moments(
    sample: Sample,
    restored: Sequence[Frame],
    pixels: PixelFormat,
    sigma: Float[np.ndarray, "3"],
    thresholds: Sequence[float] = (),
) -> Moments:
    """The moments of a sample's measured frames.

    Args:
      sample: the sample.
      restored: its frames as the network restored them, or the decoded frames if no network is used.
      pixels: the format of all these frames.
      sigma: the expected error of Y', Cb and Cr, in sample values.
      thresholds: between luma's classes.
    """
    rows = []
    count, operators = (len(thresholds) + 1) * DIRECTIONS, LUMA_OPERATORS if thresholds else OPERATORS
    measured = operator_responses(
        sample.decoded, restored, pixels, sigma, around_plain=True, operators=operators, wanted=sample.measured
    )
    for source, (frame, responses) in zip(sample.source[sample.measured], measured, strict=True):
        planes = [*zip(frame.planes, source.planes, responses)]
        classes = classes_of(frame.planes[0], pixels, thresholds, DIRECTIONS) if thresholds else None
        row = _products(*planes[0], classes, count if thresholds else 1)
        row += [_padded(products, operators) for plane in planes[1:] for products in _products(*plane)]
        row += [tuple(np.zeros_like(part) for part in row[0])] * (3 - len(planes))
        rows.append(row)
    return Moments(*(np.array([[plane[part] for plane in row] for row in rows]) for part in range(3)))


def _padded(products: tuple[np.ndarray, ...], operators: int) -> tuple[np.ndarray, ...]:
    """The products with zeros for the first operators, which only luma has."""
    error, cross, gram = products
    missing = operators - len(cross)
    return error, np.pad(cross, (missing, 0)), np.pad(gram, ((missing, 0), (missing, 0)))


def concatenate(parts: Sequence[Moments]) -> Moments:
    """The moments of several samples as one."""
    return Moments(*(np.concatenate(column) for column in zip(*parts)))


def _by_plane(values: Float[np.ndarray, "n p"]) -> Float[np.ndarray, "n 3"]:
    """The sum over luma's classes, and chroma's values."""
    return np.concatenate([values[:, :-2].sum(axis=1, keepdims=True), values[:, -2:]], axis=1)


def _products(
    plane: np.ndarray, truth: np.ndarray, responses: list[np.ndarray], classes: np.ndarray | None = None, count: int = 1
) -> list[tuple[np.ndarray, ...]]:
    """For each class, the error and responses multiplied with each other."""
    # Such a step visits all positions within a codec's blocks.
    step = next((step for step in _STEPS if plane.shape[1] % step), 1)
    error = plane.ravel()[::step].astype(np.float32) - truth.ravel()[::step]
    rows = np.stack([*(response.ravel()[::step] for response in responses), error])
    sizes = [rows.shape[1]]
    if classes is not None:
        chosen = classes.ravel()[::step]
        rows = np.take(rows, np.argsort(chosen, kind="stable"), axis=1)
        sizes = np.bincount(chosen, minlength=count)
    products = []
    for part in np.split(rows, np.cumsum(sizes)[:-1], axis=1):
        # BLAS would share each small product among threads, which wait for each other on a busy machine.
        product = np.einsum("ks,ls->kl", part, part).astype(np.float64) / error.size
        products.append((np.asarray(product[-1, -1]), product[:-1, -1], product[:-1, :-1]))
    return products
