"""An output of pictures: a folder of numbered PNGs, or one picture."""

import dataclasses
from pathlib import Path

from vdiff_jax.errors import OutputError
from vdiff_jax.media.fidelity import losses
from vdiff_jax.media.pictures import DEEP_WRITERS, picture_of, write_picture
from vdiff_jax.media.video import VideoInfo, turn
from vdiff_jax.pixels import Frame

ALPHA_PICTURES = frozenset({".png", ".tif", ".tiff", ".webp"})


class PictureSink:
    """Writes a folder of numbered PNGs, or one picture, rotated as a player shows them."""

    def __init__(self, path: Path, info: VideoInfo, *, folder: bool, count: int = 0):
        self._path = path
        self._info = info
        self._folder = folder
        self._deep = folder or path.suffix.lower() in DEEP_WRITERS
        self._count = count

    def losses(self) -> list[str]:
        """What the pictures do not keep of the video, each with the output that would."""
        alpha = self._folder or self._path.suffix.lower() in ALPHA_PICTURES
        pixels = dataclasses.replace(self._info.pixels, alpha=alpha)
        return losses(self._info, "pictures", "pictures", pixels)

    def write(self, frame: Frame) -> None:
        """Writes the next picture.

        Raises:
            OutputError: it can't be written, or is the second frame for one picture.
        """
        if self._count and not self._folder:
            raise OutputError("one picture holds one frame: for a folder of pictures, put a slash at the end")
        path = self._path / f"frame_{self._count:06d}.png" if self._folder else self._path
        picture = picture_of(frame.planes, self._info.pixels, deep=self._deep)
        write_picture(path, turn(picture, self._info.display_matrix))
        self._count += 1

    def cut(self) -> None:
        """Does nothing: every picture is on disk already."""

    def finish(self) -> None:
        """Does nothing: every picture is on disk already."""

    def abort(self) -> None:
        """Does nothing: the writer deletes the pictures."""
