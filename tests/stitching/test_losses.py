"""What a film of several inputs does not hold of them."""

import av
import numpy as np

from vdiff_jax.stitching.losses import lost_in_stitching
from vdiff_jax.stitching.source import open_sources


def test_the_loss_of_bits_is_named(write):
    lost = lost_in_stitching(open_sources([write("one.mkv"), write("two.mkv", bits=10)]))
    assert lost == ["the precision of 10 bits, because stitch works in 8 bits"]


def test_tracks_that_a_film_of_several_inputs_does_not_hold_are_named(tmp_path, write):
    path = tmp_path / "two tracks.mkv"
    with av.open(path, "w") as file:
        file.add_attachment("font.ttf", "font/ttf", b"a font")
        videos = [file.add_stream("mpeg4", rate=25, width=64, height=48) for _ in range(2)]
        sound, silence = file.add_stream("flac", rate=48000), np.zeros((1, 9216), np.int16)
        shown, heard = av.VideoFrame(64, 48, "yuv420p"), av.AudioFrame.from_ndarray(silence, "s16", "stereo")
        heard.sample_rate, heard.pts, shown.pts = 48000, 0, 0
        for track, frame in [*((video, shown) for video in videos), (sound, heard)]:
            file.mux([*track.encode(frame), *track.encode()])
    sources = open_sources([write("one.mkv"), path])
    held, why = "1 further video track, 1 attachment", "because a panorama has the tracks of one input only, here"
    (lost,) = lost_in_stitching(sources)
    assert lost.startswith(f"of two tracks.mkv: {held}, because a sequence takes only")
    assert lost_in_stitching(sources, copied=0) == [f"of two tracks.mkv: the sound, {held}, {why} one.mkv"]
    assert lost_in_stitching(sources, copied=1) == []
