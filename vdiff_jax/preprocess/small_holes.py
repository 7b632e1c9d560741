"""Fills holes a few pixels wide from around them and from neighbouring frames, with an expected error; compiled.

A hole starts as a biharmonic fill. Several predictors correct it: interpolation along the row and along the column, and
the neighbouring frames moved to this one. Each of them is weighted. The weights are fitted to the known pixels around
the hole, by least squares: each known pixel is predicted as if it were a hole itself. A predictor that fails, such as a
frame whose motion could not be followed, gets a weight near 0 there.

Training makes its examples in compiled code and needs this form. `stream.fitted_fill` is the form of the host. It
compiles nothing and is faster there; `tests/stream/test_fitted_fill.py` holds that both agree.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

CELL = 4
"""Predictors are weighted on cells of this many pixels; height and width must be multiples of it."""
WIDTH = 5
"""A hole is small where no square of this many pixels fits into it."""
_STEPS = 10
"""Jacobi steps of the biharmonic fill: enough for small holes."""
_DAMPING, _MOMENTUM = 0.7, 0.4
RIDGE = (1 / 255) ** 2
"""Added to each predictor's mean square, so that corrections below the rounding of 8 bits get no weight."""

ERROR, MOVED = 0.95, 0.6
"""The error in a hole: `ERROR` times that of known samples, divided by the share of samples around it that are known.

Where the fill comes from moved frames, that share matters less: its power is 1 - `MOVED` × the frames' total weight."""


def small_holes(mask: Float[Array, "*b h w 1"]) -> Float[Array, "*b h w 1"]:
    """1 in small holes, and in parts of holes that are narrow and not next to a wide one; 0 elsewhere."""
    wide = _largest(-_largest(-mask))
    return mask * (1 - _largest(wide))


def fill_small_holes(
    image: Float[Array, "*b c h w"], known: Float[Array, "*b h w"], neighbours: Float[Array, "*b k c h w"]
) -> tuple[Float[Array, "*b c h w"], Float[Array, "*b h w"]]:
    """The image with its unknown samples filled, and the expected error of each.

    Args:
      image: of any unit whose full range is about 1; any value where it is unknown.
      known: 1 where the image is known, 0 elsewhere.
      neighbours: other frames, moved to this one; NaN in all samples of one that is missing.
    """
    return jnp.vectorize(_filled, signature="(c,h,w),(h,w),(k,c,h,w)->(c,h,w),(h,w)")(image, known, neighbours)


def _biharmonic_fill(image: Float[Array, "*b h w"], known: Float[Array, "*#b h w"]) -> Float[Array, "*b h w"]:
    """The image with its unknown samples filled by the smoothest surface through the known ones around them.

    Samples with nothing known within two pixels keep their value. Damped Jacobi steps with momentum on the biharmonic
    equation, from the mean of what is known around. `stream.biharmonic` is the host's form, for holes of any size.
    """
    share = _blurred(known)
    mean = jnp.where(share > 0, _blurred(known * image) / jnp.maximum(share, 1e-6), image)
    begin = jnp.where(known > 0, image, mean)
    movable = (1 - known) * (share > 0)

    def body(_: Array, pair: tuple[Array, Array]) -> tuple[Array, Array]:
        before, now = pair
        step = _DAMPING * (_biharmonic_prediction(now) - now) + _MOMENTUM * (now - before)
        return now, now + movable * step

    return lax.fori_loop(0, _STEPS, body, (begin, begin))[1]


def _biharmonic_prediction(image: Float[Array, "*b h w"]) -> Float[Array, "*b h w"]:
    """Each sample as the biharmonic equation predicts it from its neighbours."""
    padded = _padded(image)
    near = _both(padded, 0, 1) + _both(padded, 1, 0)
    diagonal = _both(padded, 1, 1) + _both(padded, 1, -1)
    far = _both(padded, 0, 2) + _both(padded, 2, 0)
    return (8 * near - 2 * diagonal - far) / 20


def _filled(
    image: Float[Array, "c h w"], known: Float[Array, "h w"], neighbours: Float[Array, "k c h w"]
) -> tuple[Float[Array, "c h w"], Float[Array, "h w"]]:
    """The same for one image."""
    # An image that is missing predicts nothing: its corrections are 0.
    present = ~jnp.isnan(neighbours)
    images = jnp.concatenate([image[None], jnp.where(present, neighbours, 0.0)])
    filled = _biharmonic_fill(images, known[None, None])
    predicted = _biharmonic_prediction(filled)
    filled, predicted = lax.optimization_barrier((filled, predicted))
    directions = _directional_predictions(filled[0]) - predicted[:1]
    in_holes = jnp.concatenate([jnp.where(present, images[1:] - filled[1:], 0.0), directions])
    where_known = jnp.concatenate([jnp.where(present, images[1:] - predicted[1:], 0.0), directions])
    weights, error = _fitted(where_known, image - predicted[0], known)
    correction = jnp.einsum("khw,kchw->chw", weights, in_holes)
    # Corrections beyond the range of the image are errors of the fit.
    result = jnp.clip(filled[0] + correction, 0.0, 1.0)
    # A known sample is predicted from all its neighbours; those of a sample in a hole are partly unknown themselves.
    moved = jnp.clip(jnp.sum(weights[: len(neighbours)], axis=0), 0, 1)
    error = ERROR * error / jnp.maximum(_blurred(known), 0.1) ** (1 - MOVED * moved)
    return jnp.where(known[None] > 0, image, result), error


def _directional_predictions(image: Float[Array, "c h w"]) -> Float[Array, "2 c h w"]:
    """Each sample by cubic interpolation along its row and along its column."""
    padded = _padded(image)
    return jnp.stack([(4 * _both(padded, y, x) - _both(padded, 2 * y, 2 * x)) / 6 for y, x in ((0, 1), (1, 0))])


def _padded(image: Float[Array, "*b h w"]) -> Float[Array, "*b h4 w4"]:
    padded = jnp.pad(image, [(0, 0)] * (image.ndim - 2) + [(2, 2), (2, 2)], mode="reflect")
    # XLA would fuse the padding with what follows, which then takes eight times as long.
    return lax.optimization_barrier(padded)


def _both(padded: Float[Array, "*b h4 w4"], y: int, x: int) -> Float[Array, "*b h w"]:
    """For each sample the sum of the two that are (y, x) pixels away on either side."""
    height, width = padded.shape[-2] - 4, padded.shape[-1] - 4
    places = ((2 + sign * y, 2 + sign * x) for sign in (1, -1))
    first, second = (padded[..., top : top + height, left : left + width] for top, left in places)
    return first + second


def _fitted(
    predictors: Float[Array, "k c h w"], target: Float[Array, "c h w"], known: Float[Array, "h w"]
) -> tuple[Float[Array, "k h w"], Float[Array, "h w"]]:
    """The weights of the predictors that are the local least squares over known samples, and the error that is left."""
    count, channels, height, width = predictors.shape
    rows = jnp.concatenate([predictors, target[None]]) * known[None, None]
    cells = rows.reshape(count + 1, channels, height // CELL, CELL, width // CELL, CELL)
    products = jnp.moveaxis(_blurred(jnp.einsum("kcyaxb,lcyaxb->klyx", cells, cells)), (0, 1), (2, 3))
    counts = known.reshape(height // CELL, CELL, width // CELL, CELL).sum(axis=(1, 3))
    samples = channels * jnp.maximum(_blurred(counts), 1e-3)
    matrix = products[..., :-1, :-1] + RIDGE * samples[..., None, None] * jnp.eye(count)[None, None]
    weights = _solved(matrix, products[..., :-1, -1:])
    left = products[..., -1, -1] - (weights * products[..., :-1, -1]).sum(axis=-1)
    error = jnp.sqrt(jnp.maximum(left, 0.0) / samples)
    enlarged = jax.image.resize(
        jnp.concatenate([weights, error[..., None]], axis=-1), (height, width, count + 1), "linear"
    )
    planes = jnp.moveaxis(enlarged, -1, 0)
    return planes[:-1], planes[-1]


def _solved(matrix: Float[Array, "*b k k"], target: Float[Array, "*b k 1"]) -> Float[Array, "*b k"]:
    """The solution of small positive definite systems, by Gauss-Jordan elimination.

    `jnp.linalg.solve` calls LAPACK for each, which on a busy CPU can wait for XLA's threads for ever (jaxlib 0.10).
    """
    rows = jnp.concatenate([matrix, target], axis=-1)
    for number in range(matrix.shape[-1]):
        pivot = rows[..., number, :] / rows[..., number, number, None]
        rows = rows - rows[..., :, number, None] * pivot[..., None, :]
        rows = rows.at[..., number, :].set(pivot)
    return rows[..., -1]


def _blurred(image: Float[Array, "*b h w"]) -> Float[Array, "*b h w"]:
    """Each sample's mean with those around it, by a binomial kernel of 5 × 5 samples; outside the image all is 0."""
    for axis in (-2, -1):
        length = image.shape[axis]
        sides = [(0, 0)] * image.ndim
        sides[axis] = (2, 2)
        padded = jnp.pad(image, sides)
        parts = [lax.slice_in_dim(padded, n, n + length, axis=axis) for n in range(5)]
        image = (parts[0] + parts[4] + 4 * (parts[1] + parts[3]) + 6 * parts[2]) / 16
    return image


def _largest(image: Float[Array, "*b h w 1"]) -> Float[Array, "*b h w 1"]:
    """The largest value of the square of `WIDTH` pixels around each pixel; outside the image there is nothing."""
    window = (1,) * (image.ndim - 3) + (WIDTH, WIDTH, 1)
    return lax.reduce_window(image, -jnp.inf, lax.max, window, (1,) * image.ndim, "SAME")
