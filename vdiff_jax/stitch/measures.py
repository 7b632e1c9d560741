"""How good a panorama is, without knowing the truth: alignment, stability, distortion."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from vdiff_jax.stitch.calibration import Calibration
from vdiff_jax.stitch.features import corners, project
from vdiff_jax.stitch.projection import Canvas, view


def measure(calibration: Calibration, canvas: Canvas, views: list[list[UInt8[np.ndarray, "_h _w 3"]]]) -> dict:
    """Alignment of each pair's overlap (PSNR in dB, SSIM), stability and distortion.

    Stability is the mean step of the corners' velocity between key moments in pixels: 0 for a rig with one geometry.
    Distortion is the largest ratio of a picture's stretch along its two axes at a corner: 1 is a mere turn or zoom.

    Source: Nie et al., Eliminating Warping Shakes for Unsupervised Online Video Stitching (StabStitch), 2024, sec. 5.
    """
    landed = [view(canvas, each, size) for each, size in zip(calibration.homographies[0], calibration.sizes)]
    pairs = []
    for pair in calibration.pairs:
        first, second = pair["inputs"]
        scores = [
            _alignment(*(_drawn(canvas, landed[i], views[i][moment], calibration.gains[i]) for i in (first, second)))
            for moment in range(0, len(views[first]), max(1, len(views[first]) // 3))
        ]  # fmt: skip
        scores = [score for score in scores if score is not None]
        if scores:
            psnr, ssim = np.mean(scores, axis=0)
            pairs.append(
                {"inputs": [first + 1, second + 1], "psnr": round(float(psnr), 3), "ssim": round(float(ssim), 4)}
            )
    return {"alignment": pairs, "stability": _stability(calibration), "distortion": _distortion(calibration)}


def _drawn(canvas: Canvas, landed, frame, gain) -> tuple[Float[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    left, top, right, bottom = landed.box
    picture = np.zeros((canvas.height, canvas.width, 3), np.float32)
    seen = np.zeros((canvas.height, canvas.width), bool)
    moved = cv2.remap(frame, *landed.maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    picture[top:bottom, left:right] = np.minimum(moved * gain, 255)
    seen[top:bottom, left:right] = landed.seen
    return picture, seen


def _alignment(first, second) -> tuple[float, float] | None:
    both = cv2.erode((first[1] & second[1]).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    if both.sum() < 256:
        return None
    error = np.mean((first[0] - second[0])[both] ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-2))), ssim(first[0].mean(axis=-1), second[0].mean(axis=-1), both)


def ssim(first: Float[np.ndarray, "h w"], second: Float[np.ndarray, "h w"], where: Bool[np.ndarray, "h w"]) -> float:
    """Mean structural similarity over some pixels, code values 0 to 255 (Wang et al., 2004; Gaussian of 1.5)."""

    def blur(image: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(image.astype(np.float64), (11, 11), 1.5)

    mean, other = blur(first), blur(second)
    spread, spread_other = blur(first**2) - mean**2, blur(second**2) - other**2
    common = blur(first * second) - mean * other
    score = (2 * mean * other + 6.5025) * (2 * common + 58.5225)
    score /= (mean**2 + other**2 + 6.5025) * (spread + spread_other + 58.5225)
    return float(score[where].mean())


def _stability(calibration: Calibration) -> float:
    if len(calibration.times) < 3:
        return 0.0
    paths = np.stack(
        [
            [project(each, corners(*size)) for each, size in zip(frame, calibration.sizes)]
            for frame in calibration.homographies
        ]
    )
    return float(np.linalg.norm(np.diff(paths, n=2, axis=0), axis=-1).mean())


def _distortion(calibration: Calibration) -> float:
    worst = 1.0
    for homography, (width, height) in zip(calibration.homographies[0], calibration.sizes):
        for corner in corners(width, height):
            steps = [project(homography, corner[None] + step)[0] for step in ([1, 0], [-1, 0], [0, 1], [0, -1])]
            jacobian = np.stack([steps[0] - steps[1], steps[2] - steps[3]], axis=1) / 2
            values = np.linalg.svd(jacobian, compute_uv=False)
            worst = max(worst, float(values[0] / max(values[1], 1e-9)))
    return round(worst, 4)
