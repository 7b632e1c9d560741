"""Files with damaged bytes are repaired: each gives a whole result, a shorter one and a warning, or one line.

A whole result needs no warning where bytes changed that neither a checksum of the file covers nor the decoder refuses.
"""

import logging
import random
from collections import Counter
from pathlib import Path

import vdiff_jax
from endurance.clips import write_clip
from vdiff_jax.errors import VdiffError
from vdiff_jax.media import open_reader

CODECS = {
    "libx264": "mkv",
    "libx265": "mp4",
    "libsvtav1": "mp4",
    "libvpx-vp9": "webm",
    "mpeg2video": "mkv",
    "ffv1": "mkv",
}
FRAMES = 12


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The bytes of a file with 20 of them changed, 200 of them zeroed, or cut off somewhere."""
    changed, place = bytearray(data), rng.randrange(len(data))
    kind = rng.choice(["flip", "cut", "zero"])
    if kind == "cut":
        del changed[place:]
    elif kind == "zero":
        changed[place : place + 200] = bytes(len(changed[place : place + 200]))
    else:
        for _ in range(20):
            changed[rng.randrange(len(changed))] ^= rng.randrange(1, 256)
    return bytes(changed)


def repair_damaged_files(folder: Path, count: int) -> list[str]:
    """The rows of the table: how many damaged files of each codec ended in which way."""
    rng, log = random.Random(0), _Warnings()
    ends = {codec: Counter() for codec in CODECS}
    logging.getLogger("vdiff_jax").addHandler(log)
    for codec, ending in CODECS.items():
        write_clip(folder / f"{codec}.{ending}", FRAMES, codec=codec)
    for number in range(count):
        codec, ending = list(CODECS.items())[number % len(CODECS)]
        path, out = folder / f"damaged.{ending}", folder / "mended.mkv"
        path.write_bytes(damaged((folder / f"{codec}.{ending}").read_bytes(), rng))
        log.said.clear()
        try:
            vdiff_jax.repair(path, out, task="denoise", sigma=8, weights="fast")
        except VdiffError:
            ends[codec]["one named line"] += 1
            continue
        with open_reader(out) as reader:
            frames = sum(1 for _ in reader)
        warned = "with a warning" if log.said else "without a warning"
        ends[codec][
            f"{'whole' if frames >= FRAMES else 'SHORTER'} {warned}".replace("SHORTER with ", "shorter with ")
        ] += 1
        out.unlink()
    return [
        f"| damaged files, {codec} in .{CODECS[codec]} | {found.total()} | "
        f"{', '.join(f'{n} {end}' for end, n in sorted(found.items()))} |"
        for codec, found in ends.items()
    ]


class _Warnings(logging.Handler):
    """Keeps the warnings that were logged."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())
