"""`vdiff_jax.repair` on clips in memory."""

import functools
import importlib
import inspect

import av
import numpy as np
import pytest
from PIL import Image

import vdiff_jax
from vdiff_jax import sample
from vdiff_jax.errors import ClipError, MaskError, OptionError, ReferencePictureError

repair = functools.partial(vdiff_jax.repair, weights="fast")


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    with av.open(str(sample.TRUTH)) as container:
        frames = [f.to_ndarray(format="rgb24")[40:136, 150:278] for f, _ in zip(container.decode(video=0), range(8))]
    return np.stack(frames)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(np.mean((a.astype(float) - b) ** 2), 1e-9)))


def test_uint8_and_float_are_denoised_alike(clean):
    noise = np.random.default_rng(0).normal(0, 25, clean.shape)
    noisy = np.clip(clean + noise, 0, 255).round().astype(np.uint8)
    repaired = repair(noisy, task="denoise", sigma=25)
    assert repaired.dtype == np.uint8
    assert psnr(repaired, clean) > psnr(noisy, clean) + 5.5
    unclipped = repair(((clean + noise) / 255).astype(np.float32), task="denoise", sigma=25)
    assert unclipped.dtype == np.float32
    assert psnr(unclipped * 255, clean) > psnr(noisy, clean) + 5.5


def test_a_hole_is_filled_and_the_rest_stays(clean):
    mask = np.zeros(clean.shape[1:3], bool)
    mask[30:60, 40:70] = True
    damaged = np.where(mask[None, :, :, None], 200, clean).astype(np.uint8)
    repaired = repair(damaged, task="inpaint", mask=mask)
    np.testing.assert_array_equal(repaired[:, ~mask], clean[:, ~mask])
    assert psnr(repaired[:, mask], clean[:, mask]) > psnr(damaged[:, mask], clean[:, mask]) + 5


def test_a_mask_of_everything_is_refused_and_one_of_nothing_changes_nothing(clean):
    with pytest.raises(MaskError, match="everywhere"):
        repair(clean, task="inpaint", mask=np.ones(clean.shape[1:3], bool))
    nothing = np.zeros(clean.shape[1:3], bool)
    np.testing.assert_array_equal(repair(clean, task="inpaint", mask=nothing), clean)


def test_another_shot_tells_nothing_of_a_hole(clean):
    shots = [np.concatenate([clean[:3], other]) for other in (255 - clean[3:6], np.roll(clean[3:6], 40, axis=2) // 3)]
    mask = np.zeros(shots[0].shape[:3], bool)
    mask[:3, 30:60, 40:70] = True
    first, second = (repair(clip, task="inpaint", mask=mask) for clip in shots)
    np.testing.assert_array_equal(first[:3], second[:3])


def test_a_lost_frame_comes_back_between_its_neighbours(clean):
    mask = np.zeros(clean.shape[:3], bool)
    mask[4] = True
    repaired = repair(np.where(mask[..., None], 0, clean).astype(np.uint8), task="inpaint", mask=mask)
    np.testing.assert_array_equal(repaired[~mask], clean[~mask])
    assert psnr(repaired[4], clean[4]) > psnr(clean[3], clean[4])


def test_two_frames_get_one_between_and_a_cut_none(clean):
    slow = repair(clean[:2], task="interpolate", slow=2)
    np.testing.assert_array_equal(slow[::2], clean[:2])
    assert psnr(slow[1], clean[0]) > psnr(clean[1], clean[0])
    apart = np.concatenate([clean[:3], 255 - clean[3:6]])
    made = repair(apart, task="interpolate", slow=2)
    np.testing.assert_array_equal(made[::2], apart)
    assert any((made[5] == apart[n]).all() for n in (2, 3))


def test_animation_on_twos_is_made_smooth(clean):
    twos = clean.repeat(2, axis=0)
    made = repair(twos, task="interpolate", slow=2)
    np.testing.assert_array_equal(made[: 4 * 7 : 4], clean[:7])
    assert psnr(made[2], clean[0]) > psnr(clean[1], clean[0])
    assert (made[2] != clean[0]).any()


def test_a_clean_clip_is_left_as_it_is(clean):
    np.testing.assert_array_equal(repair(clean), clean)


@pytest.mark.parametrize(
    ("clip", "says"),
    [
        (np.zeros((2, 16, 16), np.uint8), "t h w c"),
        (np.zeros((2, 16, 16, 2), np.uint8), "channels"),
        (np.zeros((0, 16, 16, 3), np.uint8), "shape"),
        (np.full((2, 16, 16, 3), np.nan, np.float32), "NaN"),
        (np.full((2, 16, 16, 3), 200.0, np.float32), "uint8"),
        (np.zeros((2, 16, 16, 3), np.int32), "int32"),
    ],
)
def test_what_is_no_clip_is_refused(clip, says):
    with pytest.raises(ClipError, match=says):
        repair(clip, sigma=10)


def test_a_mask_of_another_size_is_refused(clean):
    with pytest.raises(MaskError, match="fits neither"):
        repair(clean, mask=np.ones((5, 5), bool))


def test_sigma_out_of_range_is_refused(clean):
    with pytest.raises(OptionError, match="-3"):
        repair(clean, sigma=-3)


def test_a_small_clip_is_enlarged_by_either_factor_and_to_any_size(clean):
    small = np.stack([np.asarray(Image.fromarray(f).resize((64, 48), Image.Resampling.BICUBIC)) for f in clean[:2]])
    double = repair(small, task="superres", scale=2, sigma=0)
    assert double.dtype == np.uint8
    assert double.shape == clean[:2].shape
    again = np.stack([np.asarray(Image.fromarray(f).resize((64, 48), Image.Resampling.BICUBIC)) for f in double])
    assert psnr(again, small) > 38  # what comes out is what the small clip was made of
    odd = repair(small[:, :37, :51].astype(np.float32) / 255, task="superres", size=(120, 91), sigma=0)
    assert odd.dtype == np.float32
    assert odd.shape == (2, 91, 120, 3)
    shown = np.stack([np.asarray(Image.fromarray(f).resize((120, 91))) for f in small[:, :37, :51]])
    assert psnr(255 * odd, shown) > 25


def test_a_grey_clip_is_coloured_from_its_first_frame(clean):
    grey = np.rint(clean @ np.array([0.299, 0.587, 0.114]))[..., None].astype(np.uint8)
    coloured = repair(grey, task="colorize", reference=clean[0])
    assert coloured.shape == clean.shape
    assert psnr(coloured[0], clean[0]) > 35
    assert psnr(coloured, clean) > psnr(np.broadcast_to(grey, clean.shape), clean)
    with pytest.raises(ReferencePictureError, match="frame 9"):
        repair(grey, task="colorize", reference={9: clean[0]})
    with pytest.raises(ReferencePictureError, match="size"):
        repair(grey, task="colorize", reference=clean[0, :50])


@pytest.mark.parametrize("pan", [0, 1])
def test_what_was_seen_sixty_frames_ago_comes_back(pan):
    with av.open(str(sample.TRUTH)) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")[62:110]
    clip = np.stack([picture[:, 124 + pan * t : 220 + pan * t] for t in range(61)])
    mask = np.zeros(clip.shape[:3], bool)
    for t in range(1, 61):
        mask[t, 12:34, 46 - pan * t + 30 * pan : 72 - pan * t + 30 * pan] = True
    white = np.where(mask[..., None], 255, clip).astype(np.uint8)
    repaired = repair(white, task="inpaint", mask=mask, weights="fast")
    assert psnr(repaired[60][mask[60]], clip[60][mask[60]]) > 28


@pytest.mark.parametrize("name", vdiff_jax.__all__)
def test_functions_stay_what_they_are_whatever_is_imported(name):
    for package in ("api", "compression.fit", "restoration.arrays", "restoration.pipeline", "stitching.blend"):
        importlib.import_module(f"vdiff_jax.{package}")
    first, second = (getattr(vdiff_jax, name) for _ in range(2))
    assert inspect.isfunction(first)
    assert first is second
