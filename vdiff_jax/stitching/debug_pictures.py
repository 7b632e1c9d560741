"""Writes pictures of each stage, to find where a stitch goes wrong (`--debug`)."""

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from vdiff_jax.errors import OutputError
from vdiff_jax.media import write_picture
from vdiff_jax.stitching.calibration import Calibration
from vdiff_jax.stitching.canvas import Canvas
from vdiff_jax.stitching.compose import Composer
from vdiff_jax.stitching.features import detect, match_pair
from vdiff_jax.stitching.source import RGB

_MOST_LINES = 150  # matches drawn for each pair


class DebugPictures:
    """A folder of pictures whose names sort in the order of the stages."""

    def __init__(self, folder: str | os.PathLike):
        """Makes the folder.

        Raises:
          OutputError: the folder cannot be made.
        """
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: the folder for debug pictures cannot be made ({error})") from error

    def write(self, name: str, picture: UInt8[np.ndarray, "_h _w 3"]) -> None:
        """Writes `name`.png."""
        write_picture(self.folder / f"{name}.png", picture)

    def panorama(self, calibration: Calibration, canvas: Canvas, views: Sequence[Sequence[RGB]]) -> None:
        """Writes each pair's matches, each camera on the canvas, the seams, and the picture before and after diffusion.

        Args:
          calibration: the rig.
          canvas: the panorama's canvas.
          views: `views[camera][moment]`; the first moment is shown.
        """
        first = [view[0] for view in views]
        for pair in calibration.pairs:
            one, other = pair["inputs"]
            self.write(f"1_matches_{one + 1}_{other + 1}", draw_matches(first[one], first[other]))
        for index in range(len(first)):
            alone = [frame if index == other else None for other, frame in enumerate(first)]
            self.write(f"2_camera_{index + 1}", Composer(calibration, canvas, views)(alone))
        composer = Composer(calibration, canvas, views)
        joined = composer.without_blending(first)
        self.write("3_seam", draw_seams(joined, composer.labels, composer.step))
        self.write("4_before_diffusion", joined)
        self.write("5_diffused", composer(first))


def draw_matches(first: RGB, second: RGB) -> UInt8[np.ndarray, "h w 3"]:
    """Returns two pictures side by side, with lines between at most 150 matches that fit one homography."""
    matches = match_pair((0, 1), [(detect(first), detect(second))])
    height = max(first.shape[0], second.shape[0])
    sides = [cv2.copyMakeBorder(each, 0, height - each.shape[0], 0, 0, cv2.BORDER_CONSTANT) for each in (first, second)]
    picture = np.hstack(sides)
    if matches is None:
        return picture
    step = -(-len(matches.points) // _MOST_LINES)
    for one, other in zip(matches.points[::step], matches.others[::step]):
        moved = other + np.array([first.shape[1], 0])
        cv2.line(picture, np.rint(one).astype(int), np.rint(moved).astype(int), color=(0, 255, 0), lineType=cv2.LINE_AA)
    return picture


def draw_seams(picture: RGB, labels: np.ndarray, step: int) -> UInt8[np.ndarray, "h w 3"]:
    """Returns a panorama with its seams in red; `labels` has the camera of each cell of `step` pixels."""
    height, width = picture.shape[:2]
    camera = np.repeat(np.repeat(labels, step, axis=0), step, axis=1)[:height, :width].astype(np.int16)
    edge = cv2.morphologyEx(camera, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    return np.where(edge[..., None], np.array([255, 0, 0], np.uint8), picture)
