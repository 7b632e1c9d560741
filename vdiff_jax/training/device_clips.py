"""Clean training clips as compiled functions of pixels in device memory: what `synthetic` makes with OpenCV.

The kinds of clips and their parameters are the same; the random numbers are not.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax, random
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt8

from vdiff_jax.training.synthetic import SHARPENED

Clip = Float[Array, "t p p 3"]
Number = Int[Array, ""] | int


class Source(NamedTuple):
    """A photograph (one frame) or a shot: the number of its first pixel among all pixels, and its size."""

    first: Number
    frames: Number
    height: Number
    width: Number


def clip_of_photo(
    key: PRNGKeyArray,
    pixels: UInt8[Array, "n 3"],
    photo: Source,
    other: Source,
    *,
    frames: int,
    patch: int,
    soft: float,
) -> Clip:
    """`synthetic.clip_of_photo`, mirrored and transposed at random; R'G'B' in whole numbers from 0 to 255.

    Args:
      key: the source of randomness.
      pixels: of all photographs and shots.
      photo: the photograph.
      other: the photograph of the moving object.
      frames, patch, soft: as there.
    """
    below_key, above_key, choice_key, mask_key, flip_key = random.split(key, 5)
    options = {"frames": frames, "patch": patch, "soft": soft}
    clip = _camera_view(below_key, pixels, photo, **options)

    def with_object() -> Clip:
        mask = _silhouette(mask_key, frames, patch)
        return jnp.round(clip + mask * (_camera_view(above_key, pixels, other, **options) - clip))

    return _flipped(flip_key, lax.cond(random.bernoulli(choice_key), with_object, lambda: clip))


def clip_of_video(key: PRNGKeyArray, pixels: UInt8[Array, "n 3"], shot: Source, *, frames: int, patch: int) -> Clip:
    """`synthetic.clip_of_video`, mirrored and transposed at random; R'G'B' in whole numbers from 0 to 255."""
    keys = random.split(key, 9)
    longest = jnp.maximum(1, (shot.frames - 1) // max(1, frames - 1))
    stride = jnp.minimum(random.choice(keys[0], jnp.array([1, 1, 2, 3])), longest)
    first = random.randint(keys[1], (), 0, jnp.maximum(1, shot.frames - stride * (frames - 1)))
    index = jnp.minimum(first + stride * jnp.arange(frames), shot.frames - 1)
    index = jnp.where(random.bernoulli(keys[2]), index[::-1], index)
    zoom = jnp.where(random.bernoulli(keys[3]), random.uniform(keys[4], minval=0.6), 1.0)
    reach = jnp.minimum(jnp.ceil(patch / zoom).astype(int), jnp.minimum(shot.height, shot.width))
    drift = jnp.where(random.bernoulli(keys[5], 0.4), random.uniform(keys[6], (2, 1), minval=-4, maxval=4), 0.0)
    room = jnp.stack([shot.height - reach, shot.width - reach])[:, None]
    start = random.uniform(keys[7], (2, 1)) * room
    top, left = jnp.clip(jnp.round(start + drift * jnp.arange(frames)[None]), 0, room).astype(int)

    def crop(frame: Array, top: Array, left: Array) -> Array:
        return _reduced(pixels, shot, frame, (top, left), reach, patch, size=patch, taps=3)

    return _flipped(keys[8], jax.vmap(crop)(index, top, left))


def _camera_view(
    key: PRNGKeyArray, pixels: UInt8[Array, "n 3"], photo: Source, *, frames: int, patch: int, soft: float
) -> Clip:
    """A moving camera's view of a photograph that was made smaller. Very fast cameras are slowed down."""
    path_key, scale_key, corner_key, soft_key, sigma_key, sharp_key, amount_key = random.split(key, 7)
    size = 2 * patch + 12 * frames
    offset, angle, zoom = _camera_path(path_key, frames)
    limit = (size - patch) / 2 - 0.35 * patch - 5
    offset = offset * jnp.minimum(1, limit / jnp.maximum(jnp.abs(offset).max(), 1e-6))
    margin = jnp.floor(jnp.abs(offset).max() + 0.35 * patch) + 4
    side = (patch + 2 * margin).astype(int)
    smaller = jnp.minimum(photo.height, photo.width)
    scale = jnp.maximum(random.uniform(scale_key, minval=0.3, maxval=0.6), side / smaller)
    scale = jnp.where(side < smaller, scale, 1.0)
    reach = jnp.minimum(jnp.ceil(side / scale).astype(int), smaller)
    small = _reduced(pixels, photo, 0, _corner(corner_key, pixels, photo, reach), reach, side, size=size, taps=5)
    sigma = random.uniform(sigma_key, minval=0.5, maxval=3.0)
    amount = random.uniform(amount_key, minval=0.3, maxval=1.2)

    def sharpened() -> Array:
        smooth = _blurred(small, 0.7 + 0.32 * (sigma - 0.5), side)
        return jnp.clip(jnp.round(small + amount * (small - smooth)), 0, 255)

    def in_focus() -> Array:
        return lax.cond(random.bernoulli(sharp_key, SHARPENED), sharpened, lambda: small)

    small = lax.cond(random.bernoulli(soft_key, soft), lambda: _blurred(small, sigma, side), in_focus)
    grid = jnp.arange(patch) - (patch - 1) / 2
    cos, sin = ((f(angle) * zoom)[:, None, None] for f in (jnp.cos, jnp.sin))
    middle = (patch - 1) / 2 + margin + offset
    x = middle[:, 0, None, None] + cos * grid[None, None, :] - sin * grid[None, :, None]
    y = middle[:, 1, None, None] + sin * grid[None, None, :] + cos * grid[None, :, None]
    return _sampled(small, y, x, side)


def _camera_path(key: PRNGKeyArray, frames: int) -> tuple[Array, Array, Array]:
    """As in `synthetic`: a camera's offset in pixels, angle in radians and zoom in each frame."""
    keys = random.split(key, 9)
    t = jnp.arange(frames) - (frames - 1) / 2
    speed = 4.0 * random.exponential(keys[0]) * random.bernoulli(keys[1], 0.85)
    direction = random.uniform(keys[2], maxval=2 * jnp.pi)
    shake = random.choice(keys[3], jnp.array([0, 0.15, 0.6])) * random.normal(keys[4], (frames, 2))
    offset = t[:, None] * (speed * jnp.stack([jnp.cos(direction), jnp.sin(direction)]))[None]
    offset = offset + jnp.cumsum(shake, axis=0)
    moves = 1.0 - random.bernoulli(keys[5], 0.3)
    angle = 0.1 * random.normal(keys[6]) + moves * t * 0.006 * random.normal(keys[7])
    return moves * offset, angle, jnp.exp(moves * t * 0.006 * random.normal(keys[8]))


def _corner(key: PRNGKeyArray, pixels: UInt8[Array, "n 3"], photo: Source, reach: Array) -> tuple[Array, Array]:
    """The top left corner of a random square; half the time the more textured one of two squares."""
    place_key, choice_key = random.split(key)
    room = jnp.stack([photo.height - reach + 1, photo.width - reach + 1])
    corners = (random.uniform(place_key, (2, 2)) * room[None]).astype(int)
    steps = (jnp.arange(24) * reach) // 24

    def texture(corner: Array) -> Array:
        y, x = corner[0] + steps[:, None], corner[1] + steps[None]
        lower = jnp.minimum(y + 4, corner[0] + reach - 1)
        here, below = (_pixels(pixels, photo, 0, each, x)[..., 1].astype(jnp.float32) for each in (y, lower))
        return jnp.abs(below - here).mean()

    best = jnp.argmax(jax.vmap(texture)(corners))
    top, left = corners[jnp.where(random.bernoulli(choice_key), best, 0)]
    return top, left


def _silhouette(key: PRNGKeyArray, frames: int, patch: int) -> Float[Array, "t p p 1"]:
    """The mask of a moving object with soft edges: the union of four ellipses."""
    keys = random.split(key, 5)
    centre = random.uniform(keys[0], (2,), maxval=patch)
    drift = 3.0 * random.normal(keys[1], (2,))
    shift = 0.12 * patch * random.normal(keys[2], (4, 2))
    axes = patch * random.uniform(keys[3], (4, 2), minval=0.06, maxval=0.25)
    angle = random.uniform(keys[4], (4,), maxval=jnp.pi)
    t = jnp.arange(frames) - frames / 2
    places = (centre[None] + shift)[None] + (drift[None] * t[:, None])[:, None]  # frames, ellipses, (x, y)
    grid = jnp.arange(patch)
    dx = grid[None, None, None, :] - places[..., 0, None, None]
    dy = grid[None, None, :, None] - places[..., 1, None, None]
    cos, sin = (f(angle)[None, :, None, None] for f in (jnp.cos, jnp.sin))
    a, b = axes[None, :, 0, None, None], axes[None, :, 1, None, None]
    inside = 1 - jnp.hypot((cos * dx + sin * dy) / a, (cos * dy - sin * dx) / b)
    return jnp.clip(inside * jnp.minimum(a, b) + 0.5, 0, 1).max(axis=1)[..., None]


def _pixels(pixels: UInt8[Array, "n 3"], source: Source, frame: Number, y: Array, x: Array) -> UInt8[Array, "... 3"]:
    """Pixels of a source's frame."""
    return pixels.at[source.first + (frame * source.height + y) * source.width + x].get(mode="promise_in_bounds")


def _reduced(
    pixels: UInt8[Array, "n 3"],
    source: Source,
    frame: Number,
    corner: tuple[Number, Number],
    reach: Number,
    side: Number,
    *,
    size: int,
    taps: int,
) -> Float[Array, "s s 3"]:
    """A square of a frame, averaged over areas to `side` × `side` pixels, as OpenCV's INTER_AREA.

    Args:
      pixels, source, frame: where from.
      corner: the square's first row and column.
      reach: its side.
      side: of the result; at least a `taps - 1`th of `reach`.
      size: of the array that is returned; what lies outside `side` × `side` means nothing.
      taps: pixels of the frame that one pixel of the result may touch, in each direction.
    """
    ratio = reach / side
    start = jnp.arange(size)[:, None] * ratio
    place = jnp.floor(start) + jnp.arange(taps)[None]
    weight = jnp.maximum(jnp.minimum(place + 1, start + ratio) - jnp.maximum(place, start), 0) / ratio
    place = jnp.clip(place.astype(int), 0, reach - 1)
    total = jnp.zeros((size, size, 3))
    for row in range(taps):
        found = _pixels(pixels, source, frame, corner[0] + place[:, row, None, None], corner[1] + place[None])
        total += weight[:, row, None, None] * jnp.einsum("yxkc,xk->yxc", found.astype(jnp.float32), weight)
    return jnp.round(total)


def _blurred(image: Float[Array, "s s 3"], sigma: Array, side: Array) -> Float[Array, "s s 3"]:
    """The first `side` × `side` pixels, smoothed by a Gaussian of at most sigma 3."""
    reach = jnp.arange(-9, 10)
    weight = jnp.exp(-(reach**2) / (2 * sigma**2))
    weight = weight / weight.sum()
    place = _reflected(jnp.arange(len(image))[:, None] + reach[None], side)
    for axis in (0, 1):
        image = jnp.tensordot(jnp.take(image, place, axis=axis), weight, axes=([axis + 1], [0]))
    return jnp.round(image)


def _sampled(image: Float[Array, "s s 3"], y: Float[Array, "t p p"], x: Float[Array, "t p p"], side: Array) -> Clip:
    """The first `side` × `side` pixels at points, by bicubic interpolation (Keys, a = -0.75, as OpenCV's)."""
    (rows, row_weights), (columns, column_weights) = (_cubic(points, side) for points in (y, x))
    flat, total = image.reshape(-1, 3), jnp.zeros((*y.shape, 3))
    for row, weight in zip(rows, row_weights):
        for column, other in zip(columns, column_weights):
            total += (weight * other)[..., None] * flat[row * image.shape[1] + column]
    return jnp.round(jnp.clip(total, 0, 255))


def _cubic(points: Float[Array, "t p p"], side: Array) -> tuple[list[Array], list[Array]]:
    """The four pixels beside each point along one axis, and their weights."""
    first = jnp.floor(points)
    d, a = points - first, -0.75
    near, far = (lambda d: ((a + 2) * d - (a + 3)) * d * d + 1), (lambda d: ((a * d - 5 * a) * d + 8 * a) * d - 4 * a)
    places = [_reflected(first.astype(int) + k, side) for k in (-1, 0, 1, 2)]
    return places, [far(1 + d), near(d), near(1 - d), far(2 - d)]


def _reflected(place: Array, side: Array) -> Array:
    """Places from 0 to side - 1; those outside are reflected at the first and the last one."""
    period = 2 * (side - 1)
    place = place % period
    return jnp.minimum(place, period - place)


def _flipped(key: PRNGKeyArray, clip: Clip) -> Clip:
    """The clip, mirrored and transposed at random."""
    sideways, upside_down, transposed = random.bernoulli(key, jnp.array([0.5, 0.2, 0.2]))
    clip = jnp.where(sideways, clip[:, :, ::-1], clip)
    clip = jnp.where(upside_down, clip[:, ::-1], clip)
    return jnp.where(transposed, clip.swapaxes(1, 2), clip)
