"""Super-resolution: enlarges a video. Its bicubic enlargement is known, with an expected error."""

import dataclasses
import logging
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from vdiff_jax.corruption.blocking import quantised_blocks
from vdiff_jax.corruption.coding import coded, rgb_to_stored
from vdiff_jax.corruption.noise import gaussian, quantise
from vdiff_jax.errors import OptionError
from vdiff_jax.observation import Observation
from vdiff_jax.pixels import PixelFormat
from vdiff_jax.postprocess.planes import planes_of_clip
from vdiff_jax.preprocess.colour import noise_in_ycbcr, rgb_to_ycbcr
from vdiff_jax.preprocess.grids import average
from vdiff_jax.preprocess.planes import Planes, chroma_scale, chroma_shift, clip_of_planes, normalised_samples, pad
from vdiff_jax.preprocess.resample import enlarge, reduce, resample
from vdiff_jax.stream.sigma import sigma_in_rgb
from vdiff_jax.tasks.finish import resize
from vdiff_jax.tasks.plan import NO_ERROR, Plan
from vdiff_jax.tasks.projection import FACTORS
from vdiff_jax.tasks.request import Request
from vdiff_jax.tasks.same_size import given_or_measured_sigma
from vdiff_jax.tasks.same_size import observe as known_with_error
from vdiff_jax.tasks.task import Task
from vdiff_jax.tasks.video import ChunkInputs, everywhere
from vdiff_jax.weights import for_task

log = logging.getLogger(__name__)

ERROR = {2: 0.03, 4: 0.05}
"""The typical error of an enlargement by each factor, in [0, 1]."""
CODED = 0.1
"""The share of training examples that are coded by a video codec at half their size."""
_REAL = 0.2
"""The share of training examples with unknown blur, noise and codec blocks, like real footage."""
LIKE_NOISE = 12.0
"""A result of twice the size has about the error that is left of noise of this sigma, in 8-bit units
(scripts/measure_encoders.py)."""
NOISY = 3.0 / 255
"""Noise measured below this counts as fine texture: small pictures have much of it."""


def observe(
    enlarged: Float[Array, "t h w 3"],
    factor: int,
    sigma: Float[Array, "3"],
    *,
    whole: bool,
    known: Float[Array, "t h w 3"] | None = None,
    time: Float[Array, " t"] | None = None,
) -> Observation:
    """The observation of a large Y'CbCr clip of which only a clip `factor` times smaller is known.

    Args:
      enlarged: the small clip's bicubic enlargement.
      factor: 2 or 4.
      sigma: the small clip's own expected error; 0 if it is exactly the antialiased bicubic reduction of the large one.
      whole: whether the small clip's chroma has luma's resolution. If not, its reduction is not known exactly.
      known, time: as in `same_size.observe`.
    """
    clean = jnp.max(sigma) == 0
    channels = jnp.array([True, whole, whole])
    reduction = jnp.where(clean & channels, float(factor), 1.0)
    observation = known_with_error(enlarged, jnp.sqrt(ERROR[factor] ** 2 + sigma**2), known=known, time=time)
    return dataclasses.replace(observation, reduction=jnp.broadcast_to(reduction.reshape(1, 3), (enlarged.shape[0], 3)))


@dataclasses.dataclass(frozen=True)
class Enlargement:
    """How superres converts a video: the network makes frames of `scale` times its size.

    Attributes:
      pixels: of the video.
      size: (height, width) of the video.
      scale: 2 or 4.
      target: (height, width) of what is written. If it is another size, a resize step follows the network.
    """

    pixels: PixelFormat
    size: tuple[int, int]
    scale: int
    target: tuple[int, int]

    @property
    def network_size(self) -> tuple[int, int]:
        """(height, width) of the frames that the network sees."""
        return self.size[0] * self.scale, self.size[1] * self.scale

    def written(self) -> tuple[PixelFormat, tuple[int, int]]:
        return self.pixels, self.target

    def observe(self, inputs: ChunkInputs, multiple: int) -> Observation:
        small = clip_of_planes(inputs.planes, self.pixels, max(1, multiple // self.scale))
        clip = enlarge(small, self.scale)
        if not self._whole:
            chroma = [pad(self._chroma(plane)[..., None], multiple) for plane in inputs.planes[1:3]]
            clip = jnp.concatenate([clip[..., :1], *chroma], axis=-1)
        known = everywhere(inputs, clip)
        return observe(clip, self.scale, inputs.sigma[0], whole=self._whole, known=known, time=inputs.time)

    def planes(self, inputs: ChunkInputs, result: Float[Array, "n hp wp 3"]) -> Planes:
        height, width = self.network_size
        clip, dtype = result[:, :height, :width], inputs.planes[0].dtype
        planes = planes_of_clip(clip, self.pixels, self.network_size, dtype=dtype)
        if not self.pixels.alpha:
            return planes
        alpha = resample(inputs.planes[-1][:-1].astype(jnp.float32), self.network_size)
        return (*planes, jnp.clip(jnp.round(alpha), 0, self.pixels.peak).astype(inputs.planes[-1].dtype))

    @property
    def _whole(self) -> bool:
        return self.pixels.kind != "yuv" or self.pixels.subsampling == (1, 1)

    def _chroma(self, plane: Array) -> Float[Array, "n1 h w"]:
        """Chroma resampled from its own grid to that of the enlarged luma, in one step."""
        scale, shift = chroma_scale(self.pixels), chroma_shift(self.pixels)
        return resample(
            normalised_samples(plane, self.pixels, chroma=True),
            self.network_size,
            scale=tuple(float(self.scale * s) for s in scale),
            shift=tuple(self.scale * s for s in shift),
        )


def plan(request: Request) -> Plan:
    """Plans to enlarge a video by a scale or to a size.

    Raises:
      OptionError: a mask; neither a scale nor a size, or both; a size that is no enlargement.
    """
    if request.masked:
        raise OptionError("superres fills no holes: repair them first with --task inpaint")
    if (request.scale is None) == (request.size is None):
        raise OptionError("superres needs either a scale, such as 2, or a size, such as 1920x1080")
    pixels, small = request.pixels, request.shape
    factor, target = _enlargement(small, request.size or _scaled(small, request.scale, pixels))
    sigma, why = given_or_measured_sigma(request)
    if request.sigma is None and sigma_in_rgb(sigma, pixels) < NOISY * 255:
        why, sigma = f"{why}, so little that it counts as fine texture", NO_ERROR
    conversion = Enlargement(pixels, small, factor, target)
    if target[0] > small[0] * factor:
        log.warning(
            "%dx%d is more than %d times larger: beyond that factor the frames are resampled", *target[::-1], factor
        )
    return Plan(
        tasks=("superres",),
        weights=for_task(request.weights, f"superres{factor}", "superres"),
        why=f"{small[1]}x{small[0]} to {target[1]}x{target[0]} through {factor} times the size; {why}",
        conversion=conversion,
        sigma=sigma,
        sigma_rgb=sigma_in_rgb(sigma, pixels),
        noise=LIKE_NOISE if factor == 2 and sigma.max() == 0 else None,
        finish=() if target == conversion.network_size else (resize,),
    )


def corrupt(key: PRNGKeyArray, clip: Float[Array, "t h w 3"], factors: tuple[int, ...] = FACTORS) -> Observation:
    """Reduces a clip by one of the factors, in 8 bits; some also get blur, noise and blocks, like real footage."""
    factor_key, small_key = jax.random.split(key)
    makers = [lambda k, c, n=n: _reduced(k, c, n) for n in factors]
    return jax.lax.switch(jax.random.randint(factor_key, (), 0, len(makers)), makers, small_key, clip)


def corrupt_by_codec(rng: np.random.Generator, clip: Float[np.ndarray, "t h w 3"]) -> Observation:
    """Reduces a clip by 2 and codes it at a random quality, as a compressed file has it; sigma is the true error.

    Height and width are multiples of 4.
    """
    small = np.asarray(reduce(jnp.asarray(clip), 2))
    video = coded(rng, small)
    error = np.sqrt(np.mean((video.clip - rgb_to_stored(small)) ** 2, axis=(0, 1, 2))) + 1e-4
    luma = enlarge(jnp.asarray(video.clip[..., :1]), 2)
    chroma = enlarge(jnp.asarray(video.clip[:, ::2, ::2, 1:]), 4)
    return observe(jnp.concatenate([luma, chroma], axis=-1), 2, jnp.asarray(error, jnp.float32), whole=False)


def _reduced(key: PRNGKeyArray, clip: Float[Array, "t h w 3"], factor: int) -> Observation:
    real_key, set_key, stored_key = jax.random.split(key, 3)

    def clean() -> tuple[Array, Array]:
        return rgb_to_ycbcr(quantise(reduce(clip, factor))), jnp.zeros(3)

    small, sigma = jax.lax.cond(
        jax.random.bernoulli(set_key, _REAL), lambda: _real_footage(real_key, clip, factor), clean
    )
    enlarged = enlarge(small, factor)

    def stored() -> Observation:
        """With one chroma sample for 2×2 pixels of the small clip (4:2:0)."""
        chroma = average(pad(small[..., 1:], 2))
        chroma = enlarge(chroma, 2 * factor)[..., : clip.shape[-3], : clip.shape[-2], :]
        return observe(jnp.concatenate([enlarged[..., :1], chroma], axis=-1), factor, sigma, whole=False)

    return jax.lax.cond(
        jax.random.bernoulli(stored_key, 0.5), stored, lambda: observe(enlarged, factor, sigma, whole=True)
    )


def _real_footage(key: PRNGKeyArray, clip: Float[Array, "t h w 3"], factor: int) -> tuple[Array, Array]:
    """The clip reduced, with unknown blur, noise and codec blocks, as Y'CbCr; and its expected error.

    The blur is between none and a Gaussian of 0.6 small pixels. Sigma holds noise and quantisation, not the blur.
    """
    blur_key, sigma_key, noise_key, step_key = jax.random.split(key, 4)
    blurred = _blur(clip, factor * jax.random.uniform(blur_key, maxval=0.6))
    sigma = 12 / 255 * jax.random.uniform(sigma_key) ** 2
    small = quantise(gaussian(noise_key, reduce(blurred, factor), sigma))
    step = 0.01 * 8 ** jax.random.uniform(step_key)
    height, width = small.shape[-3:-1]
    coded = quantised_blocks(pad(rgb_to_ycbcr(small), 8), step)[..., :height, :width, :]
    return coded, jnp.sqrt((sigma * jnp.asarray(noise_in_ycbcr(1.0))) ** 2 + step**2 / 12)


def _blur(clip: Float[Array, "t h w c"], sigma: Array) -> Float[Array, "t h w c"]:
    """A Gaussian of `sigma` pixels, at most 2.5, over both axes."""
    reach = 7
    taps = jnp.exp(-0.5 * (jnp.arange(-reach, reach + 1) / jnp.maximum(sigma, 1e-3)) ** 2)
    taps = taps / taps.sum()
    for axis in (1, 2):
        widths = [(0, 0)] * 4
        widths[axis] = (reach, reach)
        padded = jnp.pad(clip, widths, mode="edge")
        size = clip.shape[axis]
        shifted = [jax.lax.slice_in_dim(padded, i, i + size, axis=axis) for i in range(2 * reach + 1)]
        clip = jnp.tensordot(taps, jnp.stack(shifted), axes=1)
    return clip


def _scaled(small: tuple[int, int], scale: Fraction | float | int, pixels: PixelFormat) -> tuple[int, int]:
    """Height and width, `scale` times larger, rounded to what subsampled chroma needs."""
    if not 1 < scale < np.inf:
        raise OptionError(f"scale {float(scale):g} is out of range: pass how many times larger, above 1")
    if scale == int(scale):
        return small[0] * int(scale), small[1] * int(scale)
    across, down = pixels.subsampling
    return down * round(small[0] * scale / down), across * round(small[1] * scale / across)


def _enlargement(small: tuple[int, int], size: tuple[int, int]) -> tuple[int, tuple[int, int]]:
    """The factor by which the network enlarges, and the output's height and width."""
    times = max(new / old for new, old in zip(size, small))
    if min(new / old for new, old in zip(size, small)) < 1 or times == 1:
        raise OptionError(
            f"the size {size[1]}x{size[0]} is no enlargement of {small[1]}x{small[0]}: pass a larger size"
        )
    return next((factor for factor in FACTORS if factor >= times), FACTORS[-1]), size


TASK = Task(
    name="superres",
    plan=plan,
    options=frozenset({"scale", "size"}),
    corrupt=corrupt,
    corrupt_on_host=corrupt_by_codec,
    share_on_host=CODED,
    # `corrupt` itself stores the small clip's chroma as 4:2:0.
    stored=lambda observation, truth: (observation, truth),
)
