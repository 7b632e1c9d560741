"""Each tab's work, without a browser."""

from fractions import Fraction
from pathlib import Path

import pytest

from tests.serve.conftest import numbered, write_clip
from vdiff_jax import media
from vdiff_jax.errors import InputError
from vdiff_jax.serve import compare_tab, compress_tab, repair_tab, stitch_tab
from vdiff_jax.serve.before_after import Pair
from vdiff_jax.serve.choices import Choices
from vdiff_jax.serve.jobs import Job


def done(work):
    job = Job(work)
    job.run()
    assert not job.error, job.error
    return job.result


def test_repair(clip, tmp_path):
    folder = tmp_path / "job"
    folder.mkdir()
    repaired = done(repair_tab.prepare(str(clip), Choices(), folder))
    assert repaired.report["frames"] == 8
    assert repaired.pair.after == folder / "clip-repaired.mkv"
    assert media.probe(repaired.preview).frames == 8
    before, after = repaired.pair.pictures(3)
    assert before.shape == after.shape == (48, 64, 3)
    assert (before == 60).all()


def test_repair_of_no_video(tmp_path):
    with pytest.raises(InputError, match="there is no video yet"):
        repair_tab.prepare(None, Choices(), tmp_path)


def test_stitch_takes_two_or_more(clip, tmp_path):
    with pytest.raises(InputError, match="no videos to stitch: add two or more"):
        stitch_tab.prepare([], {}, tmp_path)
    with pytest.raises(InputError, match="1 video to stitch"):
        stitch_tab.prepare([str(clip)], {}, tmp_path)
    made = done(stitch_tab.prepare([str(clip), str(clip)], {"layout": "sequence"}, tmp_path))
    assert media.probe(made.path).frames == 16
    assert media.probe(made.preview).frames == 16


def test_compress(clip, tmp_path):
    made = done(compress_tab.prepare(str(clip), {"codec": "h264", "adapt": "none"}, tmp_path))
    facts = compress_tab.facts(made.report)
    assert facts["Before"].endswith("kB")
    assert made.path.stat().st_size == made.report["bytes"]["file"]


def test_compare(clip, tmp_path):
    other = write_clip(tmp_path / "other.mkv", numbered() + 10)
    made = done(compare_tab.prepare(str(clip), str(other), tmp_path))
    assert compare_tab.facts(made.report)["PSNR"] == "28.131 dB"
    assert made.page.stat().st_size > 1000
    assert media.probe(made.preview).frames == 8


def test_a_pair_knows_its_preview():
    assert Pair(Path("a"), Path("b"), rate=Fraction(24), frames=10).preview_frames == 10
    assert Pair(Path("a"), Path("b"), rate=Fraction(24), frames=10_000).preview_frames == 30 * 24


def test_the_curve_s_sizes_have_a_readable_unit():
    assert list(compress_tab.curve_points([(2000, 60.0), (12_000, 97.0)])["Size (kB)"]) == [2, 12]
    assert list(compress_tab.curve_points([(200_000, 60.0), (2_500_000, 97.0)])["Size (MB)"]) == [0.2, 2.5]
