"""What identifies a file, to find out whether it is still the same when a run is resumed."""

import hashlib
import os
from pathlib import Path
from typing import Any

from vdiff_jax.media.sources import Source, list_pictures

_HEAD = 1 << 20
"""Bytes that are read."""


def fingerprint(source: Source) -> dict[str, Any] | None:
    """A file's name, size, time and the hash of its beginning, as JSON; of pictures, their names, sizes and times.

    Returns:
        `None` for stdin and pipes.

    Raises:
        InputError: no such file or folder.
    """
    name = os.fspath(source)
    pictures = None if name == "-" else list_pictures(name)
    if pictures is not None:
        digest = hashlib.sha256()
        for picture in pictures:
            about = picture.stat()
            digest.update(f"{picture.name} {about.st_size} {about.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
        return {"name": os.path.abspath(name), "pictures": len(pictures), "hash": digest.hexdigest()[:16]}
    if name == "-" or not os.path.isfile(name):
        return None
    about = Path(name).stat()
    with open(name, "rb") as file:
        head = hashlib.sha256(file.read(_HEAD)).hexdigest()[:16]
    return {"name": os.path.abspath(name), "bytes": about.st_size, "modified": about.st_mtime_ns, "head": head}
