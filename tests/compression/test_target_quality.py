"""The search for a target VMAF."""

import numpy as np
import pytest

from vdiff_jax import media
from vdiff_jax.compression import compress, decompress
from vdiff_jax.compression.attachment_choice import choose_attachment
from vdiff_jax.compression.codec import CODECS
from vdiff_jax.compression.probes import Prober, keep_if_vmaf_rises
from vdiff_jax.compression.target_quality import probe_variants, search_crf
from vdiff_jax.compression.track import Variant
from vdiff_jax.errors import OptionError


def falling(crf: float) -> float:
    """Flat at fine qualities and steep at coarse ones, as VMAF is."""
    return 99 - 0.02 * crf**2


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@pytest.mark.parametrize("target", [60.0, 80.3, 93.0, 97.5])
def test_the_search_ends_at_the_target_or_a_little_above(codec, target):
    tried = []

    def quality(crf: float) -> float:
        tried.append(crf)
        return falling(crf)

    crf = search_crf(codec, target, quality)
    assert falling(crf) >= target
    assert falling(crf) <= target + 0.5 or crf == codec.highest_crf or falling(crf + codec.crf_step) < target
    assert len(set(tried)) == len(tried) <= 9
    assert all(1 <= crf <= codec.highest_crf for crf in tried)
    if codec.name == "av1":
        assert all(crf == round(crf) for crf in tried)


def test_the_search_ends_at_the_coarsest_crf_if_that_is_good_enough():
    assert search_crf(CODECS["h264"], 20.0, falling) == 51


def test_a_vmaf_out_of_reach_is_reported():
    with pytest.raises(OptionError, match=r"VMAF 99.5 is out of reach of libx264: at its finest, crf 1, 98.98 is"):
        search_crf(CODECS["h264"], 99.5, falling)


@pytest.fixture(scope="module")
def reached(source, tiny, tmp_path_factory):
    """A file compressed for VMAF 80, and its report."""
    path = tmp_path_factory.mktemp("reached") / "small.mkv"
    return path, compress(source, path, target_vmaf=80, adapt="none", weights=tiny)


def test_the_result_has_the_target_vmaf(reached, source, tiny, tmp_path, read_frames):
    path, report = reached
    decompress(path, tmp_path / "large.mkv", weights=tiny, codec="ffv1")
    large, truth = read_frames(tmp_path / "large.mkv"), read_frames(source)
    vmaf = media.Vmaf()(large, truth, media.probe(source).pixels).mean()
    assert report["vmaf"]["target"] == 80
    assert report["vmaf"]["sampled_frames"] == len(large)  # The clip is so short that the sample is all of it.
    assert vmaf == pytest.approx(report["vmaf"]["expected"], abs=0.02)
    assert vmaf >= 80


def test_the_expected_vmaf_is_that_of_the_encoded_track(reached, source, tmp_path, open_encoder):
    _, report = reached
    track = report["track"]
    settings = {"crf": float(report["crf"]), "target_vmaf": 80.0, "interpolation_weights": "fast"}
    encoder = open_encoder(source, tmp_path, **settings)
    variant = Variant((track["height"], track["width"]), track["every_second_frame"])
    choice = choose_attachment(encoder, encoder.encode(settings["crf"], variant))
    quality = keep_if_vmaf_rises(encoder, choice, media.Vmaf())[1]
    assert quality.expected == pytest.approx(report["vmaf"]["expected"], abs=0.01)


def test_restoration_that_lowers_vmaf_is_left_out(reached):
    report = reached[1]
    assert report["vmaf"]["expected"] >= report["vmaf"]["track"]
    assert (report["vmaf"]["expected"] > report["vmaf"]["track"]) == ("wiener" in report["plan"]["tasks"])


@pytest.fixture(scope="module")
def prober(source, tmp_path_factory, open_encoder):
    """Probes of the clip, none twice."""
    encoder = open_encoder(source, tmp_path_factory.mktemp("probes"), target_vmaf=80.0)
    return Prober(encoder, media.Vmaf()), encoder.whole


def test_no_coarser_crf_reaches_the_target(prober):
    """On a clip this small a tenth of a crf changes VMAF by up to 4."""
    prober, whole = prober
    best = min(probe_variants(prober, CODECS["h264"], 80.0, whole), key=lambda probe: probe.size)
    assert best.vmaf >= 80
    assert best.vmaf <= 80.5 or prober.probe(round(best.crf + 0.1, 2), best.variant).vmaf < 80


def test_a_higher_target_takes_more_bytes(prober):
    prober, whole = prober
    crfs = [
        search_crf(CODECS["h264"], target, lambda crf: prober.probe(crf, whole).vmaf, 36.0) for target in (80.0, 90.0)
    ]
    less, more = (prober.probe(crf, whole) for crf in crfs)
    assert more.vmaf >= 90
    assert more.size > less.size


def test_a_probe_is_near_the_encoded_track(source, tmp_path, open_encoder):
    """It is the same where the sample is the whole video."""
    encoder = open_encoder(source, tmp_path)
    samples, size = encoder.sampler.encoded(30.0)
    track = encoder.encode(30.0)
    assert size == pytest.approx(track.size, rel=0.02)
    for probe, sample in zip(samples, encoder.sampler.of_track(track), strict=True):
        for a, b in zip(probe.decoded, sample.decoded, strict=True):
            np.testing.assert_array_equal(a.planes[0], b.planes[0])
