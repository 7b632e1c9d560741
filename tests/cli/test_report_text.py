"""Reports as text."""

from vdiff_jax.cli.report_text import choice_text, comparison_text

REPORT = {
    "input": "a.mp4",
    "measures": {"width": 640, "height": 360, "codec": "h264"},
    "why": "sigma 17.4 was measured",
    "trial": {"frames": 24, "width": 320, "height": 180, "damage": "noise of sigma 17.4"},
    "tried": [
        {"name": "base", "gain": 5.04, "seconds_per_frame": 0.088, "seconds": 5.3},
        {"name": "nlmeans", "gain": -0.5, "seconds_per_frame": 0.151, "seconds": None},
    ],
    "choice": {"name": "base", "why": "the best here", "command": "vdiff repair a.mp4"},
}


def test_a_choice_lists_the_contenders_and_the_command():
    assert "\n".join(choice_text(REPORT)).splitlines() == [
        "a.mp4: 640x360, h264; sigma 17.4 was measured",
        "tried on 24 of its frames at 320x180 with noise of sigma 17.4:",
        "  base        +5.04 dB  0.088 s per frame, 5 s for the whole video",
        "  nlmeans     -0.50 dB  0.151 s per frame",
        "use base, the best here:",
        "  vdiff repair a.mp4",
    ]


def test_a_clean_video_has_one_line():
    measures = {**REPORT["measures"], "codec": None}
    clean = {**REPORT, "measures": measures, "why": "it is clean", "trial": None, "tried": [], "choice": None}
    assert list(choice_text(clean)) == ["a.mp4: 640x360, not compressed; it is clean"]


def test_a_comparison_lists_the_metrics():
    report = {"test": "b.mp4", "reference": "a.mp4", "frames": 3, "psnr": 31.25, "psnr_y": 32.0, "ssim": 0.9125}
    lines = list(comparison_text({**report, "vmaf": None, "temporal_error": 1.5}))
    assert lines[0] == "b.mp4 compared with a.mp4: 3 frames"
    figures = {" ".join(words): value for *words, value in map(str.split, lines[1:3])}
    assert figures == {"PSNR": "31.250", "PSNR of luma": "32.000"}
    assert lines[4].split() == ["VMAF", "not", "measured"]
