"""The HTML page of a comparison."""

import base64
import re

import cv2
import numpy as np

from vdiff_jax.comparison.page import Strip, page

REPORT = {
    "reference": "<clean>.mkv",
    "test": "test.mkv",
    "frames": 3,
    "width": 8,
    "height": 4,
    "psnr": 31.25,
    "psnr_y": 33.5,
    "ssim": None,
    "vmaf": 90.0,
    "temporal_error": 1.5,
    "per_frame": {"psnr": [30.0, 31.0, 32.75]},
}


def pictures_of(text: str) -> list[np.ndarray]:
    found = re.findall(r"data:image/png;base64,([^\"]+)", text)
    return [cv2.imdecode(np.frombuffer(base64.b64decode(one), np.uint8), cv2.IMREAD_COLOR)[..., ::-1] for one in found]


def test_the_page_shows_reference_test_and_amplified_difference():
    reference = np.full((4, 8, 3), (10, 20, 30), np.uint8)
    test = reference + np.uint8(2)
    shown = pictures_of(page(REPORT, [Strip(1, reference, test)]))
    np.testing.assert_array_equal(shown[0], reference)
    np.testing.assert_array_equal(shown[1], test)
    assert np.unique(shown[2]).tolist() == [128 + 8 * 2]


def test_the_page_names_frames_and_metrics_and_escapes_names():
    text = page(REPORT, [Strip(2, *np.zeros((2, 4, 8, 3), np.uint8))])
    assert "&lt;clean&gt;.mkv" in text
    assert "<clean>" not in text
    assert "frame 2: 32.75 dB" in text
    assert "SSIM</th><td>not measured" in text
    assert "VMAF</th><td>90.000" in text


def test_the_curve_has_a_point_for_each_frame():
    points = re.search(r'points="([^"]+)"', page(REPORT, []))[1].split()
    heights = [float(point.split(",")[1]) for point in points]
    assert len(points) == 3
    assert heights == sorted(heights, reverse=True)  # SVG's y grows downwards
