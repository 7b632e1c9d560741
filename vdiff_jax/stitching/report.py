"""The report of a panorama: geometry, offsets and gains, its quality measured without ground truth, and advice."""

import cv2
import numpy as np
from jaxtyping import Bool, Float

from vdiff_jax.stitching.calibration import Calibration
from vdiff_jax.stitching.canvas import Canvas, to_canvas, to_surface
from vdiff_jax.stitching.features import corners, project
from vdiff_jax.stitching.source import LUMA, RGB
from vdiff_jax.stitching.warper import CameraWarp, warp_camera

_RATE = 30  # frames per second at which paths are measured
_LOW_SSIM, _LOW_OVERLAP, _FEW_MATCHES = 0.7, 0.15, 50  # pairs below these get advice
_MOMENTS = 100  # about how many moments distortion and stretch are measured at


def describe(calibration: Calibration, canvas: Canvas) -> dict:
    """Returns the report's part on geometry, offsets and gains; inputs are counted from 1, as on the command line."""
    inputs = []
    for index, gain in enumerate(calibration.gains):
        path = [to_canvas(canvas, frame[index]) for frame in calibration.homographies]
        entry = {
            "homography": path[0].tolist(),
            "offset_seconds": round(float(calibration.offsets[index]), 5),
            "gain": round(float(gain @ LUMA), 5),
            "gain_rgb": [round(float(each), 5) for each in gain],
        }
        if len(path) > 1:
            entry["segments"] = [
                {"seconds": float(moment), "homography": each.tolist()} for moment, each in zip(calibration.times, path)
            ]
        inputs.append(entry)
    pairs = [{**pair, "inputs": [each + 1 for each in pair["inputs"]]} for pair in calibration.pairs]
    return {
        "layout": "panorama",
        "inputs": inputs,
        "projection": {
            "kind": canvas.kind, "canvas": [canvas.width, canvas.height], "focal": calibration.focal,
            "reference": calibration.reference + 1, "origin": list(canvas.origin), "level": canvas.level.tolist(),
            "cameras_turn_about_one_point": calibration.turning, "moving_rig": len(calibration.times) > 1,
        },
        "residual_pixels": calibration.rms,
        **({} if calibration.shake is None else {"shake_pixels": dict(zip(("before", "after"), calibration.shake))}),
        "pairs": pairs,
    }  # fmt: skip


def measure_quality(
    calibration: Calibration, canvas: Canvas, times: Float[np.ndarray, " k"], views: list[list[RGB]]
) -> dict:
    """Returns how well a panorama is aligned, stable and undistorted, largely as StabStitch measures it.

    Args:
      calibration: the rig.
      canvas: the panorama's canvas.
      times: moments in seconds on the first input's clock.
      views: each camera's frames at these moments.

    Returns:
      `alignment`: PSNR in dB and SSIM of each pair's overlap.
      `stability`: the mean squared distance of a mesh on each camera from where it is one to three frames (of 1/30 s)
        earlier and later, in pixels of 480 × 360. Smaller is better, and uniform pans count too.
      `shake_pixels`: the mean change of the corners' velocity from key moment to key moment; uniform pans do not count.
        Both are 0 for a rig with one geometry.
      `distortion`: how much the mesh's lines bend and its cells swell; 0 for none.
      `stretch`: the largest ratio of a picture's scales along two axes at a corner; 1 for a rotation or zoom.

    Source: Nie et al., Eliminating Warping Shakes for Unsupervised Online Video Stitching (StabStitch), 2024, section 5
    and its code.
    """
    meshes = _meshes(calibration, canvas)
    few = meshes[:: max(1, len(meshes) // _MOMENTS)]
    return {
        "alignment": _alignment(calibration, canvas, times, views),
        "stability": round(stability(meshes), 4),
        "shake_pixels": round(_shake(calibration), 4),
        "distortion": round(max(distortion(mesh) for mesh in few.reshape(-1, *few.shape[-3:])), 4),
        "stretch": _stretch(calibration),
    }


def _alignment(
    calibration: Calibration, canvas: Canvas, times: Float[np.ndarray, " k"], views: list[list[RGB]]
) -> list[dict]:
    """PSNR and SSIM of each pair's overlap, averaged over about three moments."""
    chosen = range(0, len(times), max(1, len(times) // 3))
    warps = {
        moment: [
            warp_camera(canvas, each, size) for each, size in zip(calibration.at(times[moment]), calibration.sizes)
        ]
        for moment in chosen
    }
    pairs = []
    for pair in calibration.pairs:
        first, second = pair["inputs"]
        scores = [
            _similarity(*(_warped(canvas, warps[m][i], views[i][m], calibration.gains[i]) for i in (first, second)))
            for m in chosen
        ]
        scores = [score for score in scores if score is not None]
        if scores:
            psnr, ssim = np.mean(scores, axis=0)
            pairs.append(
                {"inputs": [first + 1, second + 1], "psnr": round(float(psnr), 3), "ssim": round(float(ssim), 4)}
            )
    return pairs


def advice(calibration: Calibration, alignment: list[dict]) -> list[str]:
    """Returns a sentence for each fault of each pair: what may be wrong, and what to try.

    Args:
      calibration: the rig.
      alignment: from `measure_quality`.
    """
    similar = {tuple(pair["inputs"]): pair["ssim"] for pair in alignment}
    sentences = []
    for pair in calibration.pairs:
        names = tuple(each + 1 for each in pair["inputs"])
        inputs = "inputs {} and {}".format(*names)
        if similar.get(names, 1.0) < _LOW_SSIM:
            sentences.append(
                f"{inputs} differ where they overlap (SSIM {similar[names]:.2f}), by parallax, lens distortion or "
                "different moments: move the cameras closer together, or farther from the scene"
            )
        if pair["overlap"] < _LOW_OVERLAP:
            sentences.append(
                f"{inputs} share {pair['overlap']:.0%} of the view: turn them until they share 20 % or more"
            )
        if pair["matches"] < _FEW_MATCHES:
            sentences.append(f"{inputs} have only {pair['matches']} matches: add light, detail or overlap")
    return sentences


Warped = tuple[Float[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]
"""A camera's picture on the canvas, and the pixels that it sees."""


def _warped(canvas: Canvas, warp: CameraWarp, frame: RGB, gain: Float[np.ndarray, " 3"]) -> Warped:
    left, top, right, bottom = warp.box
    picture = np.zeros((canvas.height, canvas.width, 3), np.float32)
    seen = np.zeros((canvas.height, canvas.width), bool)
    moved = cv2.remap(frame, *warp.maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    picture[top:bottom, left:right] = np.minimum(moved * gain, 255)
    seen[top:bottom, left:right] = warp.seen
    return picture, seen


def _similarity(first: Warped, second: Warped) -> tuple[float, float] | None:
    """PSNR and SSIM of two cameras' overlap; None if it has fewer than 256 pixels."""
    both = cv2.erode((first[1] & second[1]).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    if both.sum() < 256:
        return None
    error = np.mean((first[0] - second[0])[both] ** 2)
    psnr = float(10 * np.log10(255**2 / max(error, 1e-2)))
    return psnr, ssim(first[0].mean(axis=-1), second[0].mean(axis=-1), both)


def ssim(first: Float[np.ndarray, "h w"], second: Float[np.ndarray, "h w"], where: Bool[np.ndarray, "h w"]) -> float:
    """Returns the mean structural similarity over the pixels `where`, for code values 0 to 255.

    Source: Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, 2004, with its
    Gaussian window of 1.5 pixels.
    """

    def blur(image: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(image.astype(np.float64), (11, 11), 1.5)

    mean, other = blur(first), blur(second)
    variance, variance_other = blur(first**2) - mean**2, blur(second**2) - other**2
    covariance = blur(first * second) - mean * other
    score = (2 * mean * other + 6.5025) * (2 * covariance + 58.5225)
    score /= (mean**2 + other**2 + 6.5025) * (variance + variance_other + 58.5225)
    return float(score[where].mean())


def _meshes(calibration: Calibration, canvas: Canvas) -> Float[np.ndarray, "t n 7 9 2"]:
    """A mesh of 6 × 8 cells on each camera, in canvas pixels, scaled as if each camera had 480 × 360 pixels.

    Positions are relative to the reference camera, so that stabilising the whole panorama does not count.
    """
    span = calibration.times[-1] - calibration.times[0]
    times = calibration.times[0] + np.arange(int(span * _RATE) + 1) / _RATE
    result = np.empty((len(times), len(calibration.sizes), 7, 9, 2))
    for index, time in enumerate(times):
        homographies = calibration.at(time)
        reference = homographies[calibration.reference]
        for camera, (homography, size) in enumerate(zip(homographies, calibration.sizes)):
            across, down = np.meshgrid(np.linspace(0, size[0] - 1, 9), np.linspace(0, size[1] - 1, 7))
            points = np.stack([across.ravel(), down.ravel()], axis=1)
            homography = np.linalg.solve(reference, homography)
            result[index, camera] = to_surface(canvas, homography, points).reshape(7, 9, 2) / size * (480, 360)
    return result


def stability(paths: Float[np.ndarray, "t *n 2"]) -> float:
    """Returns the mean squared distances to one, two and three frames before and after, weighted 0.9, 0.3 and 0.1."""
    if len(paths) < 7:
        return 0.0
    middle = paths[3:-3]
    total = 0.0
    for away, weight in ((1, 0.9), (2, 0.3), (3, 0.1)):
        for other in (paths[3 - away : -3 - away], paths[3 + away : len(paths) - 3 + away]):
            total += weight * float(np.mean((other - middle) ** 2))
    return total


def distortion(mesh: Float[np.ndarray, "7 9 2"]) -> float:
    """Returns StabStitch's distortion of a mesh in pixels of 480 × 360.

    It adds 1 - cos of the angles between successive edges, averaged over each row's or column's cells on both sides,
    and how much cells exceed double size.
    """
    total = 0.0
    for axis, largest in ((0, 120.0), (1, 120.0)):
        lines = np.moveaxis(mesh, 1 - axis, 1)  # lines along x first, then along y
        edges = np.diff(lines, axis=1)
        cosine = (edges[:, :-1] * edges[:, 1:]).sum(-1) / np.prod(
            [np.linalg.norm(part, axis=-1) for part in (edges[:, :-1], edges[:, 1:])], axis=0
        )
        bend = 1 - cosine
        total += float(np.mean(bend[:-1] + bend[1:])) + float(np.maximum(edges[..., axis] - largest, 0).mean())
    return total


def _shake(calibration: Calibration) -> float:
    """The mean change of the corners' velocity, relative to the reference camera, in pixels."""
    if len(calibration.times) < 3:
        return 0.0
    paths = np.stack(
        [
            [project(each, corners(*size)) for each, size in zip(relative, calibration.sizes)]
            for relative in (np.linalg.solve(frame[calibration.reference], frame) for frame in calibration.homographies)
        ]
    )
    return float(np.linalg.norm(np.diff(paths, n=2, axis=0), axis=-1).mean())


def _stretch(calibration: Calibration) -> float:
    """The largest ratio of the scales along two axes, at any corner of any camera."""
    worst = 1.0
    few = calibration.homographies[:: max(1, len(calibration.homographies) // _MOMENTS)]
    frames = [pair for frame in few for pair in zip(frame, calibration.sizes)]
    for homography, (width, height) in frames:
        for corner in corners(width, height):
            steps = [project(homography, corner[None] + step)[0] for step in ([1, 0], [-1, 0], [0, 1], [0, -1])]
            jacobian = np.stack([steps[0] - steps[1], steps[2] - steps[3]], axis=1) / 2
            values = np.linalg.svd(jacobian, compute_uv=False)
            worst = max(worst, float(values[0] / max(values[1], 1e-9)))
    return round(worst, 4)
