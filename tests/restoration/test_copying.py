"""A video that needs nothing is copied, not encoded again (`pipeline`)."""

import pytest

from vdiff_jax.restoration.options import Options
from vdiff_jax.restoration.pipeline import copies, repair
from vdiff_jax.runtime.progress import Listener


def test_a_video_that_needs_nothing_is_copied_byte_for_byte(tmp_path, sample_clips):
    heard = []

    class Recorder(Listener):
        def expect(self, frames, plan):
            heard.append((frames, plan))

    source, target = sample_clips / "truth.mkv", tmp_path / "out.mkv"
    report = repair(source, target, task="denoise", sigma=0, progress=Recorder())
    assert target.read_bytes() == source.read_bytes()
    assert (report["copied"], report["frames"], report["plan"]["tasks"]) == (True, 8, [])
    assert heard == [(8, "160x96, 24 frames/s: nothing to do; sigma 0 was given")]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("out.mp4", {}),
        ("out.mkv", {"start": 0.1}),
        ("out.mkv", {"codec": "ffv1"}),
        ("out.mkv", {"deinterlace": True}),
        ("out.mkv", {"audio_codec": "none"}),
        ("frames/", {}),
    ],
)
def test_what_was_asked_for_is_done(sample_clips, name, options):
    assert not copies(sample_clips / "truth.mkv", name, Options(**options))
