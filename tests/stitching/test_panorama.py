import cv2
import numpy as np
import pytest

from vdiff_jax.errors import ClipError, OptionError, StitchError
from vdiff_jax.stitching import panorama
from vdiff_jax.stitching.calibrate_rig import survey
from vdiff_jax.stitching.features import corners, project
from vdiff_jax.stitching.source import open_sources
from vdiff_jax.stitching.stitch import stitch

RATE = 20.0


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Where `stitched` leaves its calibration."""
    return tmp_path_factory.mktemp("rig") / "rig.json"


@pytest.fixture(scope="module")
def stitched(rig, saved):
    return stitch(rig.clips, layout="panorama", rates=[RATE, RATE], calibration=saved)


@pytest.fixture
def known(stitched, saved):
    """The calibration, for tests of what comes after it."""
    return saved


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


def test_a_static_rig_never_jumps_and_is_the_same_every_time(rig, stitched):
    assert stitched.report["metrics"]["stability"] == 0
    assert "segments" not in stitched.report["inputs"][1]
    again = stitch(rig.clips, layout="panorama", rates=[RATE, RATE])
    np.testing.assert_array_equal(again.clip, stitched.clip)


def test_a_saved_calibration_gives_the_same_frames(rig, stitched, known):
    text = known.read_text()
    second = stitch([clip[:8] for clip in rig.clips], layout="panorama", rates=[RATE, RATE], calibration=known)
    difference = np.abs(second.clip[0].astype(int) - stitched.clip[0])
    assert np.percentile(difference, 99) <= 3
    assert second.report["inputs"] == [{**entry, "missing_frames": 0} for entry in stitched.report["inputs"]]
    assert known.read_text() == text
    with pytest.raises(StitchError, match="same order"):
        stitch([clip[:, 20:] for clip in rig.clips], layout="panorama", calibration=known)


def test_the_order_of_the_inputs_changes_the_report_not_the_picture(rig, stitched):
    turned = stitch(rig.clips[::-1], layout="panorama", rates=[RATE, RATE])
    assert turned.report["inputs"][1]["offset_seconds"] == pytest.approx(-4 / RATE, abs=0.25 / RATE)
    gain = turned.report["inputs"][0]["gain_rgb"], turned.report["inputs"][1]["gain_rgb"]
    np.testing.assert_allclose(gain[1], [0.8, 0.85, 0.95], rtol=0.01)


def test_cameras_of_different_rates_are_put_together_at_the_first_ones(rig, stitched):
    made = stitch([rig.clips[0], rig.clips[1][::2]], layout="panorama", rates=[RATE, RATE / 2])
    assert made.rate == RATE
    assert len(made.clip) == len(stitched.clip)
    second = made.report["inputs"][1]
    assert second["offset_seconds"] == pytest.approx(4 / RATE, abs=0.5 / RATE)
    assert second["missing_frames"] == 0
    np.testing.assert_allclose(second["gain_rgb"], 1 / np.array([0.8, 0.85, 0.95]), rtol=0.01)


def test_crop_leaves_only_what_is_always_seen_and_fill_leaves_no_gap(rig, stitched, known):
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
def test_a_camera_that_drops_out_leaves_the_others_going(rig, how):
    """The rest is black then, or filled as asked; where both looked, the other camera takes over."""
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
    # Nothing is darker than what the camera that goes on shows itself.
    assert made.clip[-1].max(axis=-1).min() >= left[19].max(axis=-1).min() - 2


def test_a_camera_that_pans_is_followed(wide, cameras):
    """One camera is still, the other one turns by 15 pixels a second against it, while things move in both."""
    left, right, shoot = cameras
    scene = wide[:16]
    poses = [right.copy() for _ in scene]
    for index, pose in enumerate(poses):
        pose[:] = np.array([[1, 0, -1.9 * index], [0, 1, 0.6 * index], [0, 0, 1]]) @ pose
    panning = np.concatenate([shoot(frame[None], pose) for frame, pose in zip(scene, poses)])
    made = stitch([shoot(scene, left), panning], layout="panorama", rates=[8.0, 8.0])
    assert made.report["projection"]["moving_rig"]
    assert made.report["inputs"][1]["offset_seconds"] == 0
    assert made.report["metrics"]["alignment"][0]["psnr"] > 30
    assert made.report["metrics"]["shake_pixels"] < 0.3
    frame = corners(300, 216)
    for first, second in zip(*(entry["segments"] for entry in made.report["inputs"])):
        found = np.linalg.solve(np.array(first["homography"]), np.array(second["homography"]))
        truth = np.linalg.solve(left, poses[min(15, round(second["seconds"] * 8))])
        assert np.median(np.linalg.norm(project(found, frame) - project(truth, frame), axis=1)) < 1.0


def test_a_rig_that_moves_as_a_whole_is_synchronised_first(wide, cameras):
    """Frames of other moments show another geometry: nothing fits until both cameras are at the same time."""
    left, right, shoot = cameras
    rng = np.random.default_rng(1)
    shake = cv2.GaussianBlur(rng.normal(0, 1, (24, 2)), (1, 5), 0) * [14, 9]
    moved = [np.array([[1, 0, x], [0, 1, y], [0, 0, 1]]) for x, y in shake]
    one, other = (
        np.concatenate([shoot(frame[None], shift @ pose) for frame, shift in zip(wide, moved)])
        for pose in (left, right)
    )
    made = stitch([one[:20], other[3:]], layout="panorama", rates=[RATE, RATE])
    second = made.report["inputs"][1]
    assert second["offset_seconds"] == pytest.approx(3 / RATE, abs=0.25 / RATE)
    frame = corners(300, 216)
    found = np.linalg.solve(*(np.array(entry["homography"]) for entry in made.report["inputs"]))
    truth = np.linalg.solve(left, right)
    assert np.median(np.linalg.norm(project(found, frame) - project(truth, frame), axis=1)) < 0.5


def test_a_faint_rig_that_shakes_at_every_frame_is_synchronised_to_the_frame(wide, cameras):
    """Of little detail, half of a tenth of a second away nothing fits any more."""
    left, right, shoot = cameras
    rng = np.random.default_rng(1)
    moved = [np.array([[1, 0, x], [0, 1, y], [0, 0, 1]]) for x, y in rng.normal(0, 9, (19, 2))]
    clips = []
    for pose in (left, right):
        sharp = np.concatenate([shoot(frame[None], shift @ pose) for frame, shift in zip(wide, moved)])
        faint = 125 + (sharp - 125.0) * 0.2
        clips.append(np.rint(faint + rng.normal(0, 2, faint.shape)).clip(0, 255).astype(np.uint8))
    found, _, _ = survey(open_sources([clips[0][:16], clips[1][3:]], [RATE, RATE]))
    assert found.offsets[1] == pytest.approx(3 / RATE, abs=0.25 / RATE)
    frame = corners(300, 216)
    apart = project(np.linalg.solve(*found.homographies[0]), frame) - project(np.linalg.solve(left, right), frame)
    assert np.median(np.linalg.norm(apart, axis=1)) < 0.5


def test_something_that_passes_and_covers_the_whole_overlap(rig, wide, cameras):
    """It can't be gone around, but neither the geometry nor the rest of the picture suffers, and the report says so."""
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


def test_lengths_that_differ_a_little_end_together(rig, known):
    made = stitch([rig.clips[0], rig.clips[1][:-1]], layout="panorama", rates=[RATE, RATE], calibration=known)
    assert (made.clip[-1].max(axis=-1) > 0).mean() == pytest.approx((made.clip[0].max(axis=-1) > 0).mean(), abs=0.01)


def test_inputs_that_make_no_panorama_are_refused(rig):
    clip = rig.clips[0][:4]
    with pytest.raises(StitchError, match="1 input: a panorama takes two to eight"):
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
    with pytest.raises(OptionError, match="layout"):
        stitch(rig.clips, layout="mosaic")


def test_memory_does_not_grow_with_length(rig, known):
    """Frames are taken from the cameras no faster than they are composed."""
    taken = [0]

    class Counting:
        name, size, rate, count = "input 1", (300, 216), RATE, 16

        def frames(self):
            for index, frame in enumerate(rig.clips[0]):
                taken[0] += 1
                yield index / RATE, frame

    sources = [Counting(), open_sources(rig.clips, [RATE, RATE])[1]]
    made = panorama.Panorama(sources, panorama.Options(calibration=known))
    taken[0] = 0
    frames = made.frames()
    for _ in range(5):
        next(frames)
    assert taken[0] <= 4 + 5 + 2
