from fractions import Fraction

import cv2
import numpy as np
import pytest

from vdiff_jax.errors import ClipError, OptionError, StitchError
from vdiff_jax.stitching import panorama
from vdiff_jax.stitching.features import corners, project
from vdiff_jax.stitching.source import ArraySource, open_sources
from vdiff_jax.stitching.stitch import stitch

RATE = 20.0


def _truth(rig, report, frame, size):
    """The wide view on the panorama's canvas, and where it is known."""
    across = np.array(report["inputs"][0]["homography"]) @ np.linalg.inv(rig.homographies[0])
    return cv2.warpPerspective(frame, across, size, flags=cv2.INTER_CUBIC)


def _psnr(one, other, where):
    return 10 * np.log10(255**2 / np.mean((one.astype(float) - other)[where] ** 2))


def test_offset_gains_and_geometry_are_found_together(stitched):
    second = stitched.report["inputs"][1]
    assert second["offset_seconds"] == pytest.approx(4 / RATE, abs=0.25 / RATE)
    np.testing.assert_allclose(second["gain_rgb"], 1 / np.array([0.8, 0.85, 0.95]), rtol=0.01)
    assert stitched.report["residual_pixels"] < 0.5


def test_the_panorama_is_the_wide_view(rig, stitched):
    clip, report = stitched.clip, stitched.report
    assert len(clip) == 16
    for index in (0, 8, 15):
        truth = _truth(rig, report, rig.wide[index + 4], clip.shape[2:0:-1])
        seen = cv2.erode((clip[index].max(axis=-1) > 0).astype(np.uint8), np.ones((7, 7))) > 0
        assert seen.mean() > 0.6
        assert _psnr(clip[index], truth, seen) > 36


def test_a_rig_with_one_geometry_never_jumps(stitched):
    assert stitched.report["metrics"]["stability"] == 0
    assert "segments" not in stitched.report["inputs"][1]


def test_the_same_calibration_gives_the_same_frames_every_time(rig, stitched, known):
    """Frames differ a little from those of the run that calibrated, which took other frames for the background."""
    text = known.read_text()
    first, second = (
        stitch([clip[:8] for clip in rig.clips], layout="panorama", rates=[RATE, RATE], calibration=known)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.clip, second.clip)
    difference = np.abs(second.clip[0].astype(int) - stitched.clip[0])
    assert np.percentile(difference, 99) <= 3
    assert second.report["inputs"] == [{**entry, "missing_frames": 0} for entry in stitched.report["inputs"]]
    assert known.read_text() == text
    with pytest.raises(StitchError, match="same order"):
        stitch([clip[:, 20:] for clip in rig.clips], layout="panorama", calibration=known)


def test_the_first_input_sets_the_rate(rig, stitched, known):
    clips = [rig.clips[0], rig.clips[1][::2]]
    made = stitch(clips, layout="panorama", rates=[RATE, RATE / 2], calibration=known)
    assert made.rate == RATE
    assert len(made.clip) == len(stitched.clip)
    assert made.report["inputs"][1]["missing_frames"] == 0


def test_frames_have_the_times_of_the_first_input(rig, known):
    """The second camera starts at 0.2 s. The first one's clock is ahead of an even one by 0, 10 and 20 ms in turn."""

    class Uneven(ArraySource):
        def frames(self):
            for index, (time, frame) in enumerate(super().frames()):
                yield time + 0.01 * (index % 3), frame

    sources = [Uneven(rig.clips[0][:12], "input 1", RATE), open_sources(rig.clips, [RATE, RATE])[1]]
    made = panorama.Panorama(sources, panorama.PanoramaOptions(calibration=known))
    count = len(list(made.frames()))
    times = [made.start + made.seconds(index) for index in range(count)]
    assert times[:8] == pytest.approx([index / RATE + 0.01 * (index % 3) for index in range(4, 12)])
    assert made.sound_span(0) == (pytest.approx(times[0]), None)


def test_crop_leaves_only_covered_pixels_and_fill_leaves_no_gap(rig, stitched, known):
    def made(count, **options):
        clips = [clip[:count] for clip in rig.clips]
        return stitch(clips, layout="panorama", rates=[RATE, RATE], calibration=known, **options).clip

    cropped = made(6, crop=True)
    assert cropped.shape[1] % 2 == cropped.shape[2] % 2 == 0
    assert cropped.shape[1] < stitched.clip.shape[1]
    assert cropped.min(axis=(0, 3)).min() > 0
    filled = made(6, fill=True)
    assert filled.max(axis=-1).min() > 10

    def red(clip, mask):
        assert clip.dtype == mask.dtype == np.float32
        assert set(np.unique(mask)) == {0, 1}
        return np.ones_like(clip) * [1, 0, 0]

    painted = made(6, fill=red)
    assert (painted[0, 0, 0] == [255, 0, 0]).all()


@pytest.mark.parametrize("how", ["ends", "black"])
def test_the_others_go_on_when_a_camera_drops_out(rig, how):
    """Its own pixels are filled then; in the overlap the other camera takes over."""
    left, right = rig.clips[0], rig.clips[1].copy()
    if how == "ends":
        right = right[:9]
    else:
        right[9:] = 0

    def red(clip, mask):
        return np.where(mask > 0, [1.0, 0, 0], clip).astype(np.float32)

    made = stitch([left, right], layout="panorama", rates=[RATE, RATE], fill=red)
    assert len(made.clip) == 16
    assert made.report["inputs"][1]["missing_frames"] == 7
    seen = [(frame != [255, 0, 0]).any(axis=-1) for frame in (made.clip[3], made.clip[-1])]
    assert 0.4 < seen[1].sum() / seen[0].sum() < 0.7
    # No pixel is darker than the darkest of the camera that goes on.
    assert made.clip[-1].max(axis=-1).min() >= left[19].max(axis=-1).min() - 2


def test_a_panning_camera_is_tracked(wide, cameras):
    """One camera is still, the other one pans by 15 pixels a second against it, while things move in both."""
    left, right, shoot = cameras
    scene = wide[:16]
    poses = [right.copy() for _ in scene]
    for index, pose in enumerate(poses):
        pose[:] = np.array([[1, 0, -1.9 * index], [0, 1, 0.6 * index], [0, 0, 1]]) @ pose
    panning = np.concatenate([shoot(frame[None], pose) for frame, pose in zip(scene, poses)])
    sources = open_sources([shoot(scene, left), panning], [8.0, 8.0])
    made = panorama.Panorama(sources, panorama.PanoramaOptions())
    assert made.report["projection"]["moving_rig"]
    assert made.report["inputs"][1]["offset_seconds"] == 0
    assert made.report["metrics"]["alignment"][0]["psnr"] > 30
    assert made.report["metrics"]["shake_pixels"] < 0.3
    frame = corners(300, 216)
    for first, second in zip(*(entry["segments"] for entry in made.report["inputs"])):
        found = np.linalg.solve(np.array(first["homography"]), np.array(second["homography"]))
        truth = np.linalg.solve(left, poses[min(15, round(second["seconds"] * 8))])
        assert np.median(np.linalg.norm(project(found, frame) - project(truth, frame), axis=1)) < 1.0


def test_a_thing_that_covers_the_whole_overlap_is_reported(rig, wide, cameras):
    """No seam can avoid it; geometry and picture stay right, and the report counts the frames."""
    left, right, shoot = cameras
    scene = wide[:16].copy()
    for frame in range(5, 11):
        scene[frame, :, 190:330] = [200, 40, 40]
    made = stitch([shoot(scene, left), shoot(scene, right)], layout="panorama", rates=[RATE, RATE])
    assert made.report["residual_pixels"] < 0.5
    assert made.report["seam"]["frames_with_a_mover_across"] >= 5
    assert made.report["inputs"][1]["offset_seconds"] == 0
    truth = _truth(rig, made.report, scene[7], made.clip.shape[2:0:-1])
    seen = cv2.erode((made.clip[7].max(axis=-1) > 0).astype(np.uint8), np.ones((7, 7))) > 0
    assert _psnr(made.clip[7], truth, seen) > 30


def test_the_panorama_ends_with_the_shorter_input_if_lengths_differ_a_little(rig, known):
    made = stitch([rig.clips[0], rig.clips[1][:-1]], layout="panorama", rates=[RATE, RATE], calibration=known)
    assert (made.clip[-1].max(axis=-1) > 0).mean() == pytest.approx((made.clip[0].max(axis=-1) > 0).mean(), abs=0.01)


def test_inputs_that_make_no_panorama_are_refused(rig):
    clip = rig.clips[0][:4]
    with pytest.raises(StitchError, match="1 input: pass two to eight for a panorama"):
        stitch([clip], layout="panorama")
    with pytest.raises(StitchError, match="9 inputs"):
        stitch([clip] * 9, layout="panorama")
    with pytest.raises(StitchError, match="input 2 is black"):
        stitch([clip, np.zeros_like(clip)], layout="panorama")
    with pytest.raises(StitchError, match="input 1 and input 2 show the same view"):
        stitch([clip, clip], layout="panorama")
    with pytest.raises(ClipError, match="t h w 3"):
        stitch([clip, clip[0]], layout="panorama")
    with pytest.raises(OptionError, match="projection"):
        stitch(rig.clips, layout="panorama", projection="round")


def test_frames_are_read_no_faster_than_they_are_composed(rig, known):
    """Memory therefore does not grow with the length."""
    taken = [0]

    class Counting:
        name, size, rate, count, aspect, lead = "input 1", (300, 216), RATE, 16, Fraction(1), 0.0

        def frames(self):
            for index, frame in enumerate(rig.clips[0]):
                taken[0] += 1
                yield index / RATE, frame

    sources = [Counting(), open_sources(rig.clips, [RATE, RATE])[1]]
    made = panorama.Panorama(sources, panorama.PanoramaOptions(calibration=known))
    taken[0] = 0
    frames = made.frames()
    for _ in range(5):
        next(frames)
    assert taken[0] <= 4 + 5 + 2
