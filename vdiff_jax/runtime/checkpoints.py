"""Checkpoints: what a long run keeps beside its output, so that it can continue after it was stopped.

At a checkpoint, a folder has the encoded packets of all frames before it, and the state of each step that remembers
earlier frames. A checkpoint counts once its JSON file exists; that file is written last.
"""

import contextlib
import dataclasses
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vdiff_jax.errors import ResumeError
from vdiff_jax.runtime.allocator import trim_heap
from vdiff_jax.runtime.array_files import ArrayFile, Arrays, read_arrays, write_arrays
from vdiff_jax.runtime.checkpoint_files import (
    ABOUT,
    FORMAT,
    PICTURES,
    Checkpoint,
    chain_of,
    delete_folder,
    find_checkpoint,
    is_foreign,
    read_json,
    remove_remains,
    segment_name,
    state_name,
    write_json,
)

log = logging.getLogger(__name__)

_PIXELS = 256 << 20
_SHORTEST, _LONGEST = 32, 256
"""There is a checkpoint after about `_PIXELS` pixels: every 32nd frame at most, every 256th at least."""


def frames_between(height: int, width: int) -> int:
    """The number of frames from one checkpoint to the next, at least."""
    return int(np.clip(_PIXELS // max(height * width, 1), _SHORTEST, _LONGEST)) // 8 * 8


class Checkpoints:
    """The checkpoints of one run, in a folder beside its output.

    Args:
      folder: where they are kept; `None` to keep nothing.
      about: what identifies the run, as JSON: input, options, version.
      every: frames from one checkpoint to the next, at least.
      begun: where the run continues; the start of the video if it is new.
      quiet: says nothing when the run is stopped.

    Attributes:
      begun: as given.
    """

    def __init__(
        self,
        folder: Path | None = None,
        about: Mapping[str, Any] | None = None,
        *,
        every: int = _LONGEST,
        begun: Checkpoint | None = None,
        quiet: bool = False,
    ):
        self._folder, self._about, self._every = folder, dict(about or {}), every
        self.begun = begun or Checkpoint()
        self._last = self.begun  # that was proposed
        self._pending: dict[int, Checkpoint] = {}
        self._started, self._quiet = False, quiet
        self._failed = False  # the folder can't be written any more
        self._packets: ArrayFile | None = None  # the packets since the last checkpoint
        self._committed = [self.begun] if self.begun.frames else []

    @property
    def folder(self) -> Path | None:
        """Where checkpoints are kept; `None` if none are."""
        return self._folder

    @property
    def frames(self) -> int:
        """Frames before the last whole checkpoint."""
        return self._committed[-1].frames if self._committed else 0

    def propose(self, frames: int, chunks: int) -> bool:
        """Makes a checkpoint of this place, if the last one is far enough away.

        The step that makes the frames calls this before it hands on the last of them.

        Args:
          frames: frames of the output so far.
          chunks: chunks so far.
        """
        if self._folder is None or self._failed or frames - self._last.frames < self._every:
            return False
        self._last = Checkpoint(frames=frames, chunks=chunks, before=self._last.frames)
        self._pending[frames] = self._last
        return True

    def here(self, frames: int) -> bool:
        """Whether there is a checkpoint after this many frames of the output."""
        return frames in self._pending

    def keep(self, frames: int, step: str, arrays: Arrays) -> None:
        """Writes the state of a step at a checkpoint that was proposed."""
        checkpoint = self._pending[frames]
        self._write(state_name(frames, step), arrays)
        self._pending[frames] = dataclasses.replace(checkpoint, states=(*checkpoint.states, step))

    def add(self, packets: Arrays) -> None:
        """Writes encoded packets, which belong to the next checkpoint; an output of pictures has none."""
        if self._folder is not None and not self._failed:
            with self._tolerant():
                self._start()
                self._packets = self._packets or ArrayFile(self._folder / "packets.part")
                self._packets.add(packets)
        if self._failed:  # perhaps in the thread that keeps states
            self._drop_packets()

    def commit(self, frames: int) -> None:
        """Completes the checkpoint after this many frames: from now on the run can be resumed there."""
        checkpoint = dataclasses.replace(self._pending.pop(frames), packets=self._packets is not None)
        if self._folder is None or self._failed:
            return
        with self._tolerant():
            if self._packets is not None:
                self._packets.complete(self._folder / segment_name(frames))
                self._packets = None
            write_json(self._folder / f"{frames:09d}.json", dataclasses.asdict(checkpoint))
            self._committed.append(checkpoint)
            for old in self._committed[:-2]:
                for step in old.states:
                    (self._folder / state_name(old.frames, step)).unlink(missing_ok=True)
        trim_heap()  # otherwise freed memory grows until about the fourth checkpoint

    def state(self, step: str) -> list[np.ndarray] | None:
        """A step's state at the frame where a resumed run continues; `None` at the start of a video.

        Raises:
          ResumeError: it can't be read.
        """
        if step not in self.begun.states or self._folder is None:
            return None
        return read_arrays(self._folder / state_name(self.begun.frames, step))

    def segments(self) -> list[Path]:
        """The files of the packets that the earlier run has written, in order."""
        if self._folder is None:
            return []
        return [self._folder / segment_name(each.frames) for each in chain_of(self._folder, self.begun) if each.packets]

    def start(self) -> Path | None:
        """Makes the folder and returns it; `None` if nothing is kept."""
        if self._folder is not None:
            with self._tolerant():
                self._start()
        return self._folder

    def kept_pictures(self) -> Path | None:
        """The folder for pictures, which stay there until all are written; `None` if nothing is kept."""
        folder = self.start()
        return folder and folder / PICTURES

    def holds(self, path: Path) -> bool:
        """Whether a path lies in the folder, and a later run can use it."""
        return self._resumable and path.parent == self._folder

    def close(self) -> None:
        """Prints how the run can be resumed; deletes the folder if it can't be."""
        if self._folder is None:
            return
        self._drop_packets()
        if not self._resumable:
            self.discard()
        elif not self._quiet:
            log.warning(
                "%d frames are kept in %s: the same command with --resume continues there", self.frames, self._folder
            )

    def discard(self) -> None:
        """Deletes the folder, after the output has got its name."""
        if self._folder is not None:
            self._drop_packets()
            delete_folder(self._folder)

    @property
    def _resumable(self) -> bool:
        """Whether a later run can be resumed from what is in the folder."""
        return self._folder is not None and self.frames > 0 and (self._folder / f"{self.frames:09d}.json").exists()

    def _write(self, name: str, arrays: Arrays) -> None:
        if self._folder is None or self._failed:
            return
        with self._tolerant():
            self._start()
            write_arrays(self._folder / name, arrays)

    def _start(self) -> None:
        """Makes the folder."""
        if not self._started and self._folder is not None:
            self._folder.mkdir(exist_ok=True)
            write_json(self._folder / ABOUT, {"format": FORMAT, **self._about})
            self._started = True

    def _drop_packets(self) -> None:
        """Deletes the packets since the last checkpoint."""
        if self._packets is not None:
            self._packets.abandon()
            self._packets = None

    @contextlib.contextmanager
    def _tolerant(self):
        """If the folder can't be written, the run continues and makes no further checkpoints."""
        try:
            yield
        except OSError as error:
            log.warning(
                "%s can't be written (%s): the run continues, but keeps nothing after frame %d for --resume",
                self._folder,
                error.strerror or error,
                self.frames,
            )
            self._failed = True
            for partial in self._folder.glob("*.part") if self._folder is not None else ():
                partial.unlink(missing_ok=True)


def open_checkpoints(
    target: str | Path, about: Mapping[str, Any], *, every: int, resume: bool, input_again: bool = True
) -> Checkpoints:
    """The checkpoints of a run that writes `target`.

    Args:
      target: the output; nothing is kept of one that goes to stdout.
      about: what identifies the run, as JSON.
      every: frames from one checkpoint to the next, at least.
      resume: continue at the last checkpoint of an earlier run, if there is one.
      input_again: whether the input can be read again; that of stdin can't.

    Raises:
      ResumeError: the earlier run had another input, option or version; or the run can't be resumed at all.
    """
    if target == "-" or not input_again:
        if resume:
            raise ResumeError("a run that reads stdin or writes stdout can't be resumed: pass files, or drop --resume")
        return Checkpoints()
    folder = checkpoint_folder(target)
    remove_remains(folder)
    if is_foreign(folder):
        message = f"{folder} is not unfinished work of vdiff, but has the name of its folder"
        if resume:
            raise ResumeError(f"{message}: nothing can be resumed; drop --resume")
        log.warning("%s. It stays as it is, so this run can't be resumed; rename it, or pass another output", message)
        return Checkpoints()
    if resume:
        return Checkpoints(folder, about, every=every, begun=find_checkpoint(folder, about))
    if folder.exists():
        log.warning(
            "%s has unfinished work of an earlier run: pass --resume to continue it, or delete it. "
            "It stays as it is, so this run can't be resumed",
            folder,
        )
        return Checkpoints()
    return Checkpoints(folder, about, every=every)


def kept_about(target: str | Path) -> dict[str, Any]:
    """What identifies the unfinished run that wrote `target`; empty if there is none, or if it can't be read."""
    try:
        return read_json(checkpoint_folder(target) / ABOUT)
    except ResumeError:
        return {}


def checkpoint_folder(target: str | Path) -> Path:
    """The folder that keeps the checkpoints of an output: its name and `.resume`."""
    path = Path(os.path.realpath(target))
    return path.with_name(path.name[:200] + ".resume")


NO_CHECKPOINTS = Checkpoints()
"""For a run that keeps nothing."""
