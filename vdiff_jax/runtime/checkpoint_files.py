"""The files of checkpoints: written whole or not at all, and checked for damage when they are read."""

import contextlib
import dataclasses
import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vdiff_jax.errors import ResumeError
from vdiff_jax.runtime.array_files import read_arrays, reason
from vdiff_jax.runtime.files import AnyPath

log = logging.getLogger(__name__)

ABOUT, PICTURES = "run.json", "pictures"
FORMAT = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A place where a run can continue.

    Attributes:
      frames: frames of the output before it.
      chunks: chunks that the network has restored before it.
      before: the frames of the checkpoint before; 0 if there is none.
      states: the names of the steps whose state was kept.
      packets: whether encoded packets were kept; a folder of pictures needs none.
    """

    frames: int = 0
    chunks: int = 0
    before: int = 0
    states: tuple[str, ...] = ()
    packets: bool = True


def find_checkpoint(folder: Path, about: Mapping[str, Any]) -> Checkpoint | None:
    """The last whole checkpoint in a folder; `None` if the folder has none.

    Args:
      folder: the folder.
      about: what identifies the run now.

    Raises:
      ResumeError: the folder is of another run or version, or can't be read.
    """
    if not folder.exists():
        return None
    kept = read_json(folder / ABOUT)
    _check_same(folder, kept, {"format": FORMAT, **json.loads(json.dumps(about))})
    for path in sorted(folder.glob("[0-9]*.json"), reverse=True):
        try:
            checkpoint = _checkpoint(path)
            _check_whole(folder, checkpoint)
        except ResumeError as error:
            log.warning("%s: the run continues from an earlier checkpoint", error)
            continue
        return checkpoint
    return None


def delete_folder(folder: Path) -> None:
    """Deletes a folder of checkpoints: the file about the run last, so that nothing is left where it is missing."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.is_dir():
                delete_folder(path)
            elif path.name != ABOUT:
                path.unlink()
        shutil.rmtree(folder)


def remove_remains(folder: Path) -> None:
    """Deletes a folder in which a killed run had not yet written its file about the run, or had deleted it.

    A folder that holds anything else is left alone.
    """
    if folder.is_dir() and all(path.suffix == ".part" for path in folder.iterdir()):
        shutil.rmtree(folder, ignore_errors=True)


def is_foreign(folder: AnyPath) -> bool:
    """Whether the path of a folder of checkpoints is a file, or a folder of other files. It must then stay as it is."""
    if not folder.is_dir():
        return folder.exists()
    return not (folder / ABOUT).exists() and next(iter(folder.iterdir()), None) is not None


def _check_whole(folder: Path, checkpoint: Checkpoint) -> None:
    """Raises ResumeError if anything that the checkpoint needs is missing or damaged."""
    for step in checkpoint.states:
        read_arrays(folder / state_name(checkpoint.frames, step))
    for each in chain_of(folder, checkpoint):
        if each.packets:
            read_arrays(folder / segment_name(each.frames))
    if not checkpoint.packets and len(list((folder / PICTURES).glob("*"))) < checkpoint.frames:
        raise ResumeError(f"{folder / PICTURES} has fewer than {checkpoint.frames} pictures")


def chain_of(folder: Path, last: Checkpoint) -> list[Checkpoint]:
    """All checkpoints up to one, in order.

    Raises:
      ResumeError: one is missing or damaged.
    """
    chain = [last]
    while chain[0].before:
        earlier = _checkpoint(folder / f"{chain[0].before:09d}.json")
        if not earlier.frames < chain[0].frames:
            raise ResumeError(f"{folder}: the checkpoint {earlier.frames} is damaged")
        chain.insert(0, earlier)
    return chain if last.frames else []


def _checkpoint(path: Path) -> Checkpoint:
    fields = read_json(path)
    try:
        numbers = {name: fields.pop(name) for name in ("frames", "chunks", "before")}
        states, packets = fields.pop("states"), fields.pop("packets")
        if (
            fields
            or type(packets) is not bool
            or any(type(number) is not int or not 0 <= number < 1 << 40 for number in numbers.values())
        ):
            raise ValueError
        if not isinstance(states, list) or not all(isinstance(name, str) and name.isidentifier() for name in states):
            raise ValueError
        if numbers["before"] >= numbers["frames"]:
            raise ValueError
    except (KeyError, ValueError) as error:
        raise ResumeError(f"{path} is damaged") from error
    return Checkpoint(**numbers, states=tuple(states), packets=packets)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
      ResumeError: it is missing or damaged.
    """
    try:
        read = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ResumeError(
            f"{path} can't be read ({reason(error)}): delete the folder {path.parent} to start again"
        ) from error
    if not isinstance(read, dict):
        raise ResumeError(f"{path} is damaged: delete the folder {path.parent} to start again")
    return read


def _check_same(folder: Path, kept: dict[str, Any], now: dict[str, Any]) -> None:
    for name in [*now, *(name for name in kept if name not in now)]:
        if kept.get(name) != now.get(name):
            other = name in ("format", "version")
            instead = (
                "resume it with the version of vdiff_jax that made it" if other else "repeat the command as it was"
            )
            raise ResumeError(
                f"{folder} can't be resumed: {_difference(name, kept.get(name), now.get(name))}: {instead}, or delete "
                "the folder to start again"
            )


def _difference(name: str, kept: Any, now: Any) -> str:
    """What differs between two values, in words. Of objects and lists, it is the first part that differs."""
    if isinstance(kept, list) and isinstance(now, list) and len(kept) == len(now):
        kept, now = next(pair for pair in zip(kept, now) if pair[0] != pair[1])
    if not isinstance(kept, dict) or not isinstance(now, dict):
        return f"{name} was {_shown(kept)} and is now {_shown(now)}"
    part = next(key for key in ["name", *kept, *now] if kept.get(key) != now.get(key))
    if part != "name" and "name" in kept:
        return f"{name} {kept['name']} has changed ({part})"
    return _difference(name if part == "name" else part, kept.get(part), now.get(part))


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 120 else text[:117] + "..."


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file that gets its name once it is whole and on disk."""
    partial = path.with_suffix(".part")
    with partial.open("w") as file:
        json.dump(value, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    with contextlib.suppress(OSError):  # the new names are on disk, too; Windows opens no folders
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def state_name(frames: int, step: str) -> str:
    """The file with the state of a step at a checkpoint."""
    return f"{frames:09d}.{step}.npz"


def segment_name(frames: int) -> str:
    """The file with the packets before a checkpoint."""
    return f"{frames:09d}.packets.npz"
