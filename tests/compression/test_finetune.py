"""Fine-tuning to one video."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax import media
from vdiff_jax.compression import attachment, finetune
from vdiff_jax.compression.closed_loop import ClosedLoop
from vdiff_jax.compression.decoder import plan_of
from vdiff_jax.compression.samples import Sample
from vdiff_jax.compression.weight_update import changed, size_of
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.wiener import OPERATORS
from vdiff_jax.preprocess.planes import clip_of_planes
from vdiff_jax.weights import load

PIXELS = PixelFormat(kind="yuv", subsampling=(2, 2), matrix="bt601", full_range=True)


def frames_of(error: float) -> list[Frame]:
    """A still ramp, with noise."""
    rng, shapes = np.random.default_rng(0), PIXELS.plane_shapes(40, 32)
    ramps = [np.linspace(60, 180, w)[None].repeat(h, 0) for h, w in shapes]
    return [
        Frame(tuple((ramp + rng.normal(0, error, ramp.shape)).round().astype(np.uint8) for ramp in ramps), n)
        for n in range(4)
    ]


@pytest.fixture(scope="module")
def loop(tiny):
    """A tiny network of random parameters, and a still ramp with noise in place of a codec's error."""
    info = media.VideoInfo(width=40, height=32, pixels=PIXELS, codec="av1")
    part = attachment.Network(name="tiny", digest=bytes(8), error=(24, 24, 24))
    plan = plan_of(attachment.Attachment(size=(32, 40), network=part), info)
    return ClosedLoop(load(tiny), plan, [Sample(frames_of(0), frames_of(8), slice(None))], np.full(3, 8.0))


def test_the_loss_of_the_decoded_frames_is_1(loop):
    """The crops are as large as these frames, so that the weights of whole frames are those of the crops."""
    batch = jax.tree.map(jnp.asarray, next(finetune._batches(loop, np.random.default_rng(0))))
    decoded = tuple(plane[:, :-1] for plane in batch.inputs.planes)
    difference = clip_of_planes(decoded, PIXELS, 1) - clip_of_planes(batch.truth, PIXELS, 1)
    assert jnp.sum(batch.weight * finetune._errors(difference, PIXELS)) == pytest.approx(1, rel=1e-3)


@pytest.mark.slow
def test_fine_tuning_lowers_the_network_s_error(loop):
    update = finetune.fine_tune(loop, steps=12, seed=0)
    assert update.shape == (size_of(loop.network.params),)
    network_alone = np.eye(OPERATORS)[[-1] * 3]
    before, after = (
        loop.restored_moments(params).error_after(network_alone).mean()
        for params in (None, changed(loop.network.params, jnp.asarray(update)))
    )
    assert after < 0.9 * before
