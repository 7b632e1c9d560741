"""What restores a video chunk by chunk: the network, the colorizer, or either on a part of the frames."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

from vdiff_jax.pixels import Frame
from vdiff_jax.stream.chunks import Chunk
from vdiff_jax.stream.crop import Crop


@runtime_checkable
class ChunkRestorer(Protocol):
    """Restores one video.

    Attributes:
      frames: of a chunk.
      multiple: what the frames' height and width are padded to a multiple of.
    """

    frames: int
    multiple: int

    def restore(self, chunks: Iterable[Chunk]) -> Iterator[Frame]:
        """The restored frames that are to be shown, in order; the chunks come in order too."""
        ...

    def report(self) -> dict[str, Any]:
        """What the job's report says of it."""
        ...


class Cropped:
    """Restores a part of the frames; the rest of each frame stays as it is."""

    def __init__(self, restorer: ChunkRestorer, crop: Crop):
        self._restorer, self._crop = restorer, crop
        self.frames, self.multiple = restorer.frames, restorer.multiple
        self.report = restorer.report

    def restore(self, chunks: Iterable[Chunk]) -> Iterator[Frame]:
        """Whole frames with the restored part in its place."""
        whole: deque[Frame] = deque()

        def parts() -> Iterator[Chunk]:
            for chunk in chunks:
                whole.extend(chunk.shown)
                yield self._crop.cut(chunk)

        for part in self._restorer.restore(parts()):
            yield self._crop.paste(whole.popleft(), part)
