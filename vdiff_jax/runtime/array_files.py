"""Files of arrays: written whole or not at all, and checked for damage when they are read."""

import contextlib
import os
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vdiff_jax.errors import ResumeError

Arrays = Sequence[Any]
"""Arrays of NumPy or JAX, or what NumPy makes an array of."""
_HEADER = re.compile(
    r"\{'descr': '([<|][uifb]\d)', 'fortran_order': False, 'shape': \(((?:\d{1,18}, ?)*(?:\d{1,18})?)\), \} *\n"
)
"""The header that NumPy writes before an array of numbers."""
LARGEST = 64 << 30
"""Bytes of the largest file of arrays that is read back; a damaged header may claim any size."""


class ArrayFile:
    """An .npz file to which arrays are added one after the other.

    Args:
      partial: its path until it is whole.
    """

    def __init__(self, partial: Path):
        self._partial, self._count = partial, 0
        self._file = partial.open("wb")
        self._zip = zipfile.ZipFile(self._file, "w")

    def add(self, arrays: Arrays) -> None:
        """Writes arrays."""
        for array in arrays:
            values = np.asarray(array, order="C")
            with self._zip.open(f"arr_{self._count}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array_header_1_0(member, np.lib.format.header_data_from_array_1_0(values))
                member.write(values.reshape(-1).view(np.uint8).data)  # `write_array` would copy the values
            self._count += 1

    def complete(self, path: Path) -> None:
        """Gives the file its name, once it is on disk."""
        with self._file:
            self._zip.close()
            self._file.flush()
            os.fsync(self._file.fileno())
        self._partial.replace(path)

    def abandon(self) -> None:
        """Deletes the file, if it is not complete."""
        with contextlib.suppress(OSError):  # that of a full disk
            self._zip.close()
        with contextlib.suppress(OSError):
            self._file.close()
        self._partial.unlink(missing_ok=True)


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Writes arrays to an .npz file that gets its name once it is whole and on disk."""
    file = ArrayFile(path.with_suffix(".part"))
    try:
        file.add(arrays)
        file.complete(path)
    except BaseException:
        file.abandon()
        raise


def read_arrays(path: Path) -> list[np.ndarray]:
    """The arrays of an .npz file. Nothing is unpickled, and zip's checksums must hold.

    Raises:
      ResumeError: it is missing, damaged or too large.
    """
    try:
        size = path.stat().st_size
        with zipfile.ZipFile(path) as file:
            members = file.infolist()
            names = [f"arr_{number}.npy" for number in range(len(members))]
            stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
            whole = sum(member.file_size for member in members) <= min(size, LARGEST)
            if [member.filename for member in members] != names or not stored or not whole:
                raise ResumeError(f"{path} is damaged")
            return [_read_array(file, member) for member in members]
    except (
        OSError,
        ValueError,
        zipfile.BadZipFile,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OverflowError,
        TypeError,
    ) as error:
        raise ResumeError(f"{path} can't be read ({reason(error)})") from error


def _read_array(file: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with file.open(member) as data:
        version = np.lib.format.read_magic(data)
        if version != (1, 0):
            raise ValueError(f"version {version} of the npy format")
        length = int.from_bytes(data.read(2), "little")
        header = _HEADER.fullmatch(data.read(length).decode("latin-1"))
        if header is None:
            raise ValueError("its header is damaged")
        dtype, shape = np.dtype(header[1]), tuple(int(side) for side in header[2].split(",") if side.strip())
        count = int(np.prod(shape, dtype=object)) if shape else 1
        if count * dtype.itemsize > member.file_size:
            raise ValueError(f"an array of shape {shape} in {member.file_size} bytes")
        array = np.frombuffer(data.read(count * dtype.itemsize), dtype)
        if data.read(1):
            raise ValueError("more bytes than the array has")
        return array.reshape(shape)


def reason(error: Exception) -> str:
    """What went wrong, on one line of at most 200 characters."""
    return " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split())[:200]
