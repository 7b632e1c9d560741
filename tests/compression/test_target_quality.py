"""A VMAF that is aimed at."""

import json

import numpy as np
import pytest

from vdiff_jax import infer, media
from vdiff_jax.compression import decompress, target_quality
from vdiff_jax.compression.attachment_choice import decide
from vdiff_jax.compression.codec import CODECS
from vdiff_jax.compression.form import Form
from vdiff_jax.compression.probes import Meter
from vdiff_jax.compression.quality import better
from vdiff_jax.errors import OptionError
from vdiff_jax.weights import load


def falling(crf: float) -> float:
    """Flat at fine qualities, steep at coarse ones, as VMAF is."""
    return 99 - 0.02 * crf**2


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@pytest.mark.parametrize("target", [60.0, 80.3, 93.0, 97.5])
def test_the_search_ends_at_the_target_or_a_little_above(codec, target):
    tried = []

    def quality(crf: float) -> float:
        tried.append(crf)
        return falling(crf)

    crf = target_quality.search(codec, target, quality)
    step = 1 if codec.name == "av1" else 0.1
    assert falling(crf) >= target
    assert falling(crf) <= target + 0.5 or crf == codec.coarsest or falling(crf + step) < target
    assert len(set(tried)) == len(tried) <= 9
    assert all(1 <= crf <= codec.coarsest for crf in tried)
    if codec.name == "av1":
        assert all(crf == round(crf) for crf in tried)


def test_what_is_good_enough_at_the_coarsest_stays_there():
    assert target_quality.search(CODECS["h264"], 20.0, falling) == 51


def test_a_vmaf_out_of_reach_is_named():
    with pytest.raises(OptionError, match=r"libx264 comes up to VMAF 99.5: at crf 1 98.98 is expected"):
        target_quality.search(CODECS["h264"], 99.5, falling)


@pytest.fixture(scope="module")
def aimed(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("aimed")
    arguments = ["--target-vmaf", "80", "--adapt", "none", "--weights", "base", "--report", str(folder / "report.json")]
    assert infer.main(["compress", str(source), "-o", str(folder / "small.mkv"), *arguments]) == 0
    return folder


def test_what_comes_out_has_the_vmaf_that_was_asked_for(aimed, source):
    report = json.loads((aimed / "report.json").read_text())
    decompress(aimed / "small.mkv", aimed / "large.mkv", codec="ffv1")
    frames = []
    for path in (aimed / "large.mkv", source):
        with media.open_reader(path) as reader:
            frames.append(list(reader))
    reached = media.Vmaf()(*frames, media.probe(source).pixels).mean()
    assert report["vmaf"]["target"] == 80
    assert report["vmaf"]["sampled_frames"] == len(frames[0])  # so few that the samples are the whole
    assert reached == pytest.approx(report["vmaf"]["expected"], abs=0.02)
    assert reached >= 80


def test_no_coarser_crf_comes_up_to_it(source, tmp_path, encoding):
    """A clip this small may end well above: a tenth of a crf is worth up to 4 points of VMAF."""
    with encoding(source, tmp_path, crf=23.0, vmaf=80.0, filling="base") as encoder:
        meter = Meter(encoder, load("base"), media.Vmaf())
        found = min(target_quality.smallest(meter, CODECS["h264"], 80.0, encoder.form), key=lambda trial: trial.size)
        assert found.vmaf >= 80
        assert found.vmaf <= 80.5 or meter.trial(round(found.crf + 0.1, 2), found.form).vmaf < 80


def test_what_is_expected_is_what_its_track_gives(aimed, source, tmp_path, encoding):
    report = json.loads((aimed / "report.json").read_text())
    crf, track = float(report["crf"]), report["track"]
    form, weights = Form((track["height"], track["width"]), track["every_second_frame"]), report["plan"]["weights"]
    network = load(weights)
    with encoding(source, tmp_path, crf=crf, vmaf=80.0, filling="base", weights=weights) as encoder:
        again = better(encoder, decide(encoder, encoder.encode(crf, form), network), media.Vmaf())[1]
    assert again.expected == pytest.approx(report["vmaf"]["expected"], abs=0.01)


def test_what_lowers_vmaf_is_left_out(aimed):
    report = json.loads((aimed / "report.json").read_text())
    assert report["vmaf"]["expected"] >= report["vmaf"]["track"]
    assert (report["vmaf"]["expected"] > report["vmaf"]["track"]) == ("spread" in report["plan"]["tasks"])


def test_more_takes_more_bytes(aimed, source, tmp_path, encoding):
    less = json.loads((aimed / "report.json").read_text())
    with encoding(source, tmp_path, crf=23.0, vmaf=90.0) as encoder:
        meter = Meter(encoder, load("base"), media.Vmaf())
        found = target_quality.search(CODECS["h264"], 90.0, lambda crf: meter.trial(crf, encoder.form).vmaf, 36.0)
        more = meter.trial(found, encoder.form)
    assert more.vmaf >= 90
    assert more.size > less["bytes"]["track"]


def test_samples_alone_are_near_to_those_of_a_track(source, tmp_path, encoding):
    """They are the same where the samples are the whole."""
    with encoding(source, tmp_path, crf=30.0) as encoder:
        pieces, size = encoder.excerpts.alone(30.0)
        track = encoder.encode(30.0)
        whole = encoder.excerpts.of(track)
    assert size == pytest.approx(track.size, rel=0.02)
    for alone, piece in zip(pieces, whole, strict=True):
        for a, b in zip(alone.decoded, piece.decoded, strict=True):
            np.testing.assert_array_equal(a.planes[0], b.planes[0])
