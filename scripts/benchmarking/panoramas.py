"""The PSNR of a panorama against the wide view it was cut from, and OpenCV's Stitcher on the same frames."""

import time

import cv2
import numpy as np


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """Returns the PSNR of 8-bit samples in dB."""
    return float(10 * np.log10(255**2 / np.mean((one.astype(np.float64) - other) ** 2)))


def psnr_to_wide(panorama: np.ndarray, wide: np.ndarray) -> float:
    """Returns the PSNR against the wide view, after fitting that to the panorama by a homography and gains.

    The fit is the same for every method, so no method gains by its own choice of canvas.
    """
    sift = cv2.SIFT_create(4000, enable_precise_upscale=True)
    points, words = sift.detectAndCompute(cv2.cvtColor(panorama, cv2.COLOR_RGB2GRAY), None)
    others, theirs = sift.detectAndCompute(cv2.cvtColor(wide, cv2.COLOR_RGB2GRAY), None)
    pairs = [a for a, b in cv2.BFMatcher().knnMatch(words, theirs, k=2) if a.distance < 0.8 * b.distance]
    one = np.float64([points[match.queryIdx].pt for match in pairs])
    other = np.float64([others[match.trainIdx].pt for match in pairs])
    across, _ = cv2.findHomography(other, one, cv2.USAC_MAGSAC, 1.5, maxIters=5000, confidence=0.999)
    size = panorama.shape[1::-1]
    known = cv2.warpPerspective(np.ones(wide.shape[:2], np.uint8), across, size, flags=cv2.INTER_NEAREST) > 0
    where = cv2.erode((known & (panorama.max(axis=-1) > 0)).astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    # The homography is refined on the pictures themselves, so that its error does not limit the PSNR.
    grey, target = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (wide, panorama))
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-7)
    across = (across / across[2, 2]).astype(np.float32)
    _, across = cv2.findTransformECC(grey, target, across, cv2.MOTION_HOMOGRAPHY, stop, where.astype(np.uint8))
    truth = cv2.warpPerspective(wide, across, size, flags=cv2.INTER_CUBIC).astype(np.float64)
    gain = [(panorama[where, c] * truth[where, c]).sum() / (truth[where, c] ** 2).sum() for c in range(3)]
    return psnr(panorama[where], truth[where] * gain)


def opencv_stitcher(pairs: list, shown: list[int], truths: list[np.ndarray]) -> dict:
    """Runs OpenCV's Stitcher in both of its modes, anew on each frame, and measures the speed of composing alone.

    Args:
      pairs: the two cameras' frames at each moment.
      shown: the moments to compare.
      truths: the wide view at these moments.

    Returns:
      For each mode: `psnr`, how many frames `failed`, the `canvas_sizes`, and `compose_frames_per_second`.
    """
    result = {}
    for name, mode in (("panorama", cv2.Stitcher_PANORAMA), ("scans", cv2.Stitcher_SCANS)):
        stitcher, scores, sizes, failed = cv2.Stitcher.create(mode), [], set(), 0
        for index in shown:
            status, picture = stitcher.stitch([frame[..., ::-1] for frame in pairs[index]])
            if status != cv2.Stitcher_OK:
                failed += 1
                continue
            sizes.add(picture.shape[:2])
            try:
                scores.append(psnr_to_wide(np.ascontiguousarray(picture[..., ::-1]), truths[shown.index(index)]))
            except cv2.error:
                failed += 1
        result[name] = {"psnr": round(float(np.mean(scores)), 2) if scores else None, "failed": failed}
        result[name]["canvas_sizes"] = sorted(map(list, sizes))
        status = stitcher.estimateTransform([frame[..., ::-1].copy() for frame in pairs[0]])
        if status == cv2.Stitcher_OK:
            few = pairs[: min(12, len(pairs))]
            begun = time.perf_counter()
            for pair in few:
                stitcher.composePanorama([frame[..., ::-1].copy() for frame in pair])
            rate = len(few) / (time.perf_counter() - begun)
            result[name]["compose_frames_per_second"] = round(rate, 2)
    return result
