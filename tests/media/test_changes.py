"""Properties that change within a video are named once."""

import av
import pytest

from vdiff_jax.media.changes import Changes


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": (32, 16)}, "changes its size from 16x16 to 32x16: every frame is scaled to 16x16"),
        ({"form": "yuv444p"}, "its pixel format from yuv420p to yuv444p: every frame is converted to yuv420p"),
        ({"aspect": 2}, "its sample aspect ratio from 1 to 2: the output says 1"),
        ({"transfer": 16}, "its dynamic range from SDR to PQ: the output says SDR"),
        ({"matrix": 9}, "its colour matrix from bt709 to bt2020"),
        ({"range": 2}, "its colour range from limited to full"),
    ],
)
def test_a_change_is_named_once(caplog, change, said):
    changes = Changes("a.ts")
    for own in ({}, {"matrix": 2, "range": 0}, change, change, {}):
        width, height = own.get("size", (16, 16))
        frame = av.VideoFrame(width, height, own.get("form", "yuv420p"))
        frame.color_trc, frame.colorspace, frame.color_range = (
            own.get("transfer", 1),
            own.get("matrix", 1),
            own.get("range", 1),
        )
        changes.note(frame, own.get("aspect", 1))
    (record,) = caplog.records
    assert record.getMessage().startswith("a.ts changes its ")
    assert said in record.getMessage()
