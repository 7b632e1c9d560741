"""How good a panorama is, without knowing the truth: alignment, stability, distortion."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from vdiff_jax.stitching.calibration import Calibration
from vdiff_jax.stitching.features import corners, project
from vdiff_jax.stitching.projection import Canvas, to_surface, view

_RATE = 30  # frames a second at which paths are measured
_UNLIKE, _THIN, _SPARSE = 0.7, 0.15, 50  # SSIM, share of the view, matches: worse ones get advice
_MOMENTS = 100  # at which shapes are, at the most about twice as many


def measure(
    calibration: Calibration,
    canvas: Canvas,
    times: Float[np.ndarray, " k"],
    views: list[list[UInt8[np.ndarray, "_h _w 3"]]],
) -> dict:
    """How well a panorama fits, keeps still and keeps shapes, largely as StabStitch measures it.

    Args:
      times: moments in seconds on the first input's clock.
      views: each camera's frames there.

    Returns:
      `alignment`: PSNR in dB and SSIM of each pair's overlap. `stability`: how far a mesh on each camera is from where
      it was and will be one to three frames (of 1/30 s) away, squared, in pixels of 480 × 360, the smaller the
      better; a steady pan counts too. `shake_pixels`: the mean change of the corners' velocity from key moment to key
      moment; a steady pan counts nothing. Both are 0 for a rig with one geometry. `distortion`: how far the mesh's
      lines bend and its cells swell, 0 for none. `stretch`: the largest ratio of a picture's scales along two axes at
      a corner, 1 for a mere turn or zoom.

    Source: Nie et al., Eliminating Warping Shakes for Unsupervised Online Video Stitching (StabStitch), 2024, sec. 5
    and the code that goes with it.
    """
    chosen = range(0, len(times), max(1, len(times) // 3))
    landed = {
        moment: [view(canvas, each, size) for each, size in zip(calibration.at(times[moment]), calibration.sizes)]
        for moment in chosen
    }
    pairs = []
    for pair in calibration.pairs:
        first, second = pair["inputs"]
        scores = [
            _alignment(*(_drawn(canvas, landed[m][i], views[i][m], calibration.gains[i]) for i in (first, second)))
            for m in chosen
        ]
        scores = [score for score in scores if score is not None]
        if scores:
            psnr, ssim = np.mean(scores, axis=0)
            pairs.append(
                {"inputs": [first + 1, second + 1], "psnr": round(float(psnr), 3), "ssim": round(float(ssim), 4)}
            )
    meshes = _meshes(calibration, canvas)
    few = meshes[:: max(1, len(meshes) // _MOMENTS)]
    return {
        "alignment": pairs,
        "stability": round(stability(meshes), 4),
        "shake_pixels": round(_shake(calibration), 4),
        "distortion": round(max(distortion(mesh) for mesh in few.reshape(-1, *few.shape[-3:])), 4),
        "stretch": _stretch(calibration),
    }


def advice(calibration: Calibration, alignment: list[dict]) -> list[str]:
    """What may be wrong with a panorama, and what to try, a sentence for each pair that has something.

    Args:
      alignment: as `measure` gives it.
    """
    alike = {tuple(pair["inputs"]): pair["ssim"] for pair in alignment}
    found = []
    for pair in calibration.pairs:
        names = tuple(each + 1 for each in pair["inputs"])
        said = "inputs {} and {}".format(*names)
        if alike.get(names, 1.0) < _UNLIKE:
            found.append(
                f"{said} differ where they overlap (SSIM {alike[names]:.2f}): parallax, a lens that bends lines, or "
                "another moment; bring the cameras closer together, or things farther away"
            )
        if pair["overlap"] < _THIN:
            found.append(f"{said} share {pair['overlap']:.0%} of the view: turn them to share 20 % or more")
        if pair["matches"] < _SPARSE:
            found.append(f"{said} have {pair['matches']} matches: more light, detail or overlap would help")
    return found


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


def _meshes(calibration: Calibration, canvas: Canvas) -> Float[np.ndarray, "t n 7 9 2"]:
    """A mesh of 6 × 8 cells on each camera, on the canvas, scaled so that each camera has 480 × 360 pixels.

    The reference's own stays: what steadies the panorama moves all of them.
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
    """StabStitch's: squared distances to one, two and three frames away on both sides, weighted 0.9, 0.3, 0.1."""
    if len(paths) < 7:
        return 0.0
    middle = paths[3:-3]
    total = 0.0
    for away, weight in ((1, 0.9), (2, 0.3), (3, 0.1)):
        for other in (paths[3 - away : -3 - away], paths[3 + away : len(paths) - 3 + away]):
            total += weight * float(np.mean((other - middle) ** 2))
    return total


def distortion(mesh: Float[np.ndarray, "7 9 2"]) -> float:
    """StabStitch's figure: 1 - cos of the bends between a mesh's successive edges, and by how much cells exceed double.

    Pixels of 480 × 360; the mean over each row's or column's cells of the bends on both sides of it.
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
