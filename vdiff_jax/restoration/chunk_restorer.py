"""`ChunkRestorer`, the interface of `Restorer` and `Colorizer`; `Cropped` runs either on a part of the frames."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

from vdiff_jax.pixels import Frame
from vdiff_jax.runtime.checkpoints import NO_CHECKPOINTS, Checkpoints
from vdiff_jax.stream.chunks import Chunk
from vdiff_jax.stream.crop import Crop


@runtime_checkable
class ChunkRestorer(Protocol):
    """Restores one video.

    Attributes:
      frames: the number of frames in a chunk.
      multiple: the frames' height and width are padded to multiples of this.
      ahead: how many chunks the analysis may be ahead of the restorer; 0 if memory is short.
    """

    frames: int
    multiple: int
    ahead: int

    def restore(self, chunks: Iterable[Chunk], checkpoints: Checkpoints = NO_CHECKPOINTS) -> Iterator[Frame]:
        """Restores chunks in order and yields the frames to show, in order.

        Args:
          chunks: the chunks that an earlier run has not restored.
          checkpoints: hold the state after the earlier run, and receive the states of this one.
        """
        ...

    def report(self) -> dict[str, Any]:
        """The restorer's entries in the report."""
        ...


class Cropped:
    """Restores a part of the frames; the rest of each frame stays as it is."""

    def __init__(self, restorer: ChunkRestorer, crop: Crop):
        self._restorer, self._crop = restorer, crop
        self.frames, self.multiple, self.ahead = restorer.frames, restorer.multiple, restorer.ahead
        self.report = restorer.report

    def restore(self, chunks: Iterable[Chunk], checkpoints: Checkpoints = NO_CHECKPOINTS) -> Iterator[Frame]:
        """Whole frames with the restored part in its place."""
        whole: deque[Frame] = deque()

        def parts() -> Iterator[Chunk]:
            for chunk in chunks:
                whole.extend(chunk.shown)
                yield self._crop.cut(chunk)

        for part in self._restorer.restore(parts(), checkpoints):
            yield self._crop.paste(whole.popleft(), part)
