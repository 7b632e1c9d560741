"""Reports as text."""

from vdiff_jax.cli.report_text import (
    choice_text,
    closing_line,
    comparison_text,
    compression_text,
    forecast_text,
    size_text,
)

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


COMPRESSED = {
    "codec": "h264",
    "bytes": {"source": 2_000_000, "track": 190_000, "attachment": 104, "file": 193_000},
    "plan": {"tasks": ["wiener"], "expected_gain_db": {"y": 0.321}, "not_tried": ["a smaller picture"]},
    "vmaf": {"expected": 91.5, "track": 90.3},
    "seconds": {"total": 3.21},
}


def test_the_closing_line_of_compress_says_bytes_and_gain():
    assert compression_text(COMPRESSED, "o.mp4") == (
        "o.mp4: 2,000,000 bytes became 193,000 bytes (H.264 track 190,000, attachment 104); decompress is expected to "
        "change the track's luma by +0.32 dB and +1.20 VMAF (wiener); no time to try a smaller picture: pass --adapt "
        "best; 3.2 s"
    )


def test_the_closing_line_of_compress_says_that_nothing_more_would_pay():
    plan = {"tasks": [], "expected_gain_db": {"y": 0.0}, "not_tried": []}
    size = {"source": None, "track": 900, "attachment": 0, "file": 1000}
    report = COMPRESSED | {"plan": plan, "bytes": size, "vmaf": None}
    assert compression_text(report, "o.mkv").endswith(
        "attachment 0); plain H.264: no restoration gains more than its bytes cost; 3.2 s"
    )


def test_the_closing_line_of_compress_says_that_the_file_grew():
    size = {"source": 1000, "track": 1900, "attachment": 0, "file": 2000}
    assert "larger than the source, which is compressed well already: pass a higher --crf" in compression_text(
        COMPRESSED | {"bytes": size}, "o.mkv"
    )
    assert "larger" not in compression_text(COMPRESSED, "o.mkv")


def test_the_closing_line_says_what_was_done(tmp_path):
    done = {"frames": 60, "width": 480, "height": 270, "seconds": {"total": 12.34}, "frames_per_second": 7.126}
    (tmp_path / "out.mp4").write_bytes(bytes(1_230_000))
    line = closing_line({**done, "plan": {"tasks": ["inpaint", "denoise"]}}, tmp_path / "out.mp4", warnings=2)
    assert line.endswith(
        "out.mp4: inpaint and denoise, 60 frames of 480x270, 1.23 MB in 12.3 s (7.13 frames/s); 2 warnings"
    )
    assert "copied as it is" in closing_line({**done, "copied": True}, "-")


def test_large_and_small_figures_are_written_out():
    assert [size_text(count) for count in (3_210, 123_456, 45_600_000, 1_234_000_000)] == [
        "3.21 kB",
        "0.123 MB",
        "45.6 MB",
        "1.23 GB",
    ]
    plan = {
        "text": "a.mp4",
        "seconds": 0.3,
        "compile_seconds": 0.2,
        "frames": 1,
        "frames_per_second": 1234,
        "bytes": 9000,
    }
    assert forecast_text(plan).endswith(
        "  less than a second for 1 frame at 1,234 frames/s, about 9 kB; nothing was written"
    )
