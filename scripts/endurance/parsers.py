"""The parsers of bytes that this package wrote itself, as `fuzz.py` calls them: each takes the bytes of one input.

A checksum would refuse nearly every changed input, so a right one is put in. JSON would, too: some inputs choose
which values of a valid document are replaced, and by what.
"""

import contextlib
import copy
import json
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import atheris
import av
import numpy as np

PACKAGES = [f"vdiff_jax.{name}" for name in ("compression", "config", "media", "runtime", "stitching", "weights")]
with atheris.instrument_imports(include=PACKAGES, exclude=["vdiff_jax.compression.range_coder"]):
    from vdiff_jax import config, weights
    from vdiff_jax.compression import attachment
    from vdiff_jax.media import animation, attachment_text, completeness, damage, decode, joined, references
    from vdiff_jax.media.segments import Segment, packets_of
    from vdiff_jax.runtime import array_files, checkpoint_files
    from vdiff_jax.stitching import calibration

MEMORY = Path("/dev/shm")
FOLDER = (MEMORY if MEMORY.is_dir() else Path(tempfile.gettempdir())) / f"vdiff_fuzz_{os.getpid()}"
CALIBRATION = {
    "version": 1, "sizes": [[64, 48]], "reference": 0, "homographies": [[[[1, 0, 0], [0, 1, 0], [0, 0, 1]]]],
    "times": [0.0], "focal": 1.0, "turning": False, "offsets": [0.0], "gains": [[1.0, 1.0, 1.0]], "rms": 0.1,
    "pairs": [{"inputs": [0, 1], "matches": 9, "candidates": 9, "overlap": 0.5}], "shake": None,
}  # fmt: skip
CHECKPOINT = {"frames": 8, "chunks": 1, "before": 0, "states": ["carry"], "packets": True}
CONFIG = {
    "data": {"frames": 8, "patch": 64, "batch": 4, "photos": 0.5, "balance": {"motion": 0.5}, "where": "host"},
    "train": {"size": "base", "steps": 10, "learning_rate": 0.1, "tasks": {"denoise": 1.0}, "loss": "psnr"},
}
WEIGHTS = {
    "format": weights.FORMAT, "network": {"widths": [16, 32], "encoder": [[], 0], "decoder": [1, [8]], "reach": [1, 3]},
    "config": {"train": {"tasks": {"denoise": 1.0}}}, weights.EARLIER: ["00" * 8],
}  # fmt: skip
_VALUES = (
    None, True, -1, 0, 1, 1 << 70, 10**400, 1e308, float("inf"), float("nan"), "", "none", [], {}, [[]], {"a": 1},
)  # fmt: skip


_written: dict[str, bytes] = {}
"""What `written` wrote last under each name."""


def make_folder() -> None:
    """Makes the folder of the inputs, and deletes those of processes that have ended."""
    for path in FOLDER.parent.glob("vdiff_fuzz_*"):
        if not Path("/proc", path.name.rpartition("_")[2]).exists():
            shutil.rmtree(path, ignore_errors=True)
    FOLDER.mkdir(exist_ok=True)


def written(name: str, data: bytes) -> Path:
    """A file of this content, in memory."""
    path = FOLDER / name
    if _written.get(name) != data:
        path.write_bytes(data)
        _written[name] = data
    return path


def changed(document: Any, fuzz: atheris.FuzzedDataProvider) -> Any:
    """A copy of a document in which a few values are replaced, added or removed."""
    result = copy.deepcopy(document)
    for _ in range(fuzz.ConsumeIntInRange(1, 3)):
        place = result
        while isinstance(place, dict | list) and place:
            key = _picked(list(place) if isinstance(place, dict) else range(len(place)), fuzz)
            if not isinstance(place[key], dict | list) or not place[key] or fuzz.ConsumeBool():
                _change(place, key, fuzz)
                break
            place = place[key]
    return result


def _picked(values: Sequence[Any], fuzz: atheris.FuzzedDataProvider) -> Any:
    return values[fuzz.ConsumeIntInRange(0, len(values) - 1)]


def _change(place: Any, key: Any, fuzz: atheris.FuzzedDataProvider) -> None:
    kind = fuzz.ConsumeIntInRange(0, 5)
    if kind == 0:
        del place[key]
    elif kind == 1:
        place[key] = fuzz.ConsumeInt(8)
    elif kind == 2:
        place[key] = fuzz.ConsumeFloat()
    elif kind == 3 and isinstance(place, dict):
        place[fuzz.ConsumeUnicodeNoSurrogates(8)] = copy.deepcopy(_picked(_VALUES, fuzz))
    elif kind == 4:
        place[key] = [place[key]] * fuzz.ConsumeIntInRange(0, 4)
    else:
        place[key] = copy.deepcopy(_picked(_VALUES, fuzz))


def text_of(document: Any, data: bytes) -> bytes:
    """JSON of a changed document, or the bytes themselves: those that begin with an odd byte."""
    if data[:1] and data[0] & 1:
        return data[1:]
    return json.dumps(changed(document, atheris.FuzzedDataProvider(data[1:]))).encode()


def parse_attachment(data: bytes) -> None:
    """An attachment: its version, 0 to 4, and what follows its checksum."""
    body = bytes([data[0] % 5]) + data[1:] if data else b""
    attachment.unpack(body[:1] + attachment._checksum(body) + body[1:], most_frames=2000)


def parse_arrays(data: bytes) -> None:
    """A file of arrays, whose checksums are taken to be right."""
    zipfile.ZipExtFile._update_crc = lambda *_: None  # pyright: ignore[reportAttributeAccessIssue]
    array_files.read_arrays(written("a.npz", data))


def parse_packets(data: bytes) -> None:
    """The packets in four arrays: the first byte gives the rows of the tables, and one that is wrong."""
    fuzz = atheris.FuzzedDataProvider(data)
    rows, sides, wrong = (fuzz.ConsumeIntInRange(0, 5) for _ in range(3))
    small = fuzz.ConsumeBool()
    numbers = [fuzz.ConsumeIntInRange(-1, 30) if small else fuzz.ConsumeInt(8) for _ in range(7 * rows + 3 * sides)]
    table = np.array(numbers[: 7 * rows], np.int64).reshape(-1, 7)
    side = np.array(numbers[7 * rows :], np.int64).reshape(-1, 3)
    lengths = [int(np.clip(sizes.sum(), 0, 1000)) for sizes in (table[:, 0], side[:, 2])]
    arrays: list[np.ndarray] = [np.zeros(lengths[0], np.uint8), table, np.zeros(lengths[1], np.uint8), side]
    if wrong < len(arrays):
        arrays[wrong] = arrays[wrong][..., :-1]
    again = Segment(lambda block: None)
    for packet in packets_of(arrays, "a.npz"):
        again.add(packet)


def parse_checkpoint(data: bytes) -> None:
    """The last checkpoint of a resume folder; or its file about the run."""
    about = {"format": checkpoint_files.FORMAT, "input": "clip.mkv"}
    if data[:1] and data[0] & 2:
        written(checkpoint_files.ABOUT, text_of(about, data))
    else:
        written(checkpoint_files.ABOUT, json.dumps(about).encode())
        written("000000008.json", text_of(CHECKPOINT, data))
    checkpoint_files.find_checkpoint(FOLDER, {"input": "clip.mkv"})


def parse_weights(data: bytes) -> None:
    """What a file of weights says about itself."""
    document = data
    if not data or data[0] & 1 == 0:
        about = json.loads(text_of(WEIGHTS, data))
        about = {key: value if isinstance(value, str) else json.dumps(value) for key, value in about.items()}
        head = json.dumps({"__metadata__": about}).encode()
        document = len(head).to_bytes(8, "little") + head
    path = written("a.safetensors", document)
    for read in (weights.trained_tasks, weights.identities):
        read(path)
    with weights._opened(path) as (_, about):
        weights._config_of(about, path)


def parse_calibration(data: bytes) -> None:
    """The calibration of a rig of cameras."""
    read = calibration.load_calibration(written("a.json", text_of(CALIBRATION, data)))
    read.at(0.5)


def parse_config(data: bytes) -> None:
    """The configuration of a training run: a table, or a file."""
    if data[:1] and data[0] & 1:
        config.load(written("a.toml", data[1:]))
    else:
        config.decode(changed(CONFIG, atheris.FuzzedDataProvider(data[1:])), "fuzz")


def parse_y4m(data: bytes) -> None:
    """A YUV4MPEG2 file, which FFmpeg parses."""
    with contextlib.suppress(av.FFmpegError):  # which `VideoReader` names
        source = decode.VideoSource(str(written("a.y4m", data)))
        try:
            sum(1 for _ in source.frames())
        finally:
            source.close()


def parse_references(data: bytes) -> None:
    """The number and name of a reference picture."""
    references.reference_path(data.decode(errors="replace"))


def parse_comment(data: bytes) -> None:
    """The comment of a video, in which a compressed MP4 has its attachment."""
    comment = data.decode(errors="replace")
    attachment_text.attachment_in({"comment": comment})
    attachment_text.without_attachment(comment)


def parse_containers(data: bytes) -> None:
    """The outermost parts of a WebP, Matroska, MXF, MP4 and WMV file."""
    path = written("a.bin", data)
    animation.frame_durations(data)
    joined.has_second_segment(str(path))
    joined.has_second_partition(str(path))
    with path.open("rb") as file:
        joined._second_movie(joined.boxes(file))
        list(joined._objects(file))
    for formats in ({"mp4"}, {"matroska"}):
        damage.is_cut(str(path), formats)
    completeness.damaged_elements(str(path))


PARSERS: dict[str, Callable[[bytes], None]] = {
    "attachment": parse_attachment,
    "arrays": parse_arrays,
    "packets": parse_packets,
    "checkpoint": parse_checkpoint,
    "weights": parse_weights,
    "calibration": parse_calibration,
    "config": parse_config,
    "y4m": parse_y4m,
    "references": parse_references,
    "comment": parse_comment,
    "containers": parse_containers,
}


def seeds(name: str) -> list[bytes]:
    """Valid inputs of a parser; none for those whose documents are in this file."""
    if name == "arrays":
        path = FOLDER / "seed.npz"
        array_files.write_arrays(path, [np.zeros(0, np.uint8), np.zeros((0, 7), np.int64), np.ones((2, 3), np.float32)])
        with contextlib.suppress(FileNotFoundError):
            return [path.read_bytes()]
    if name == "config":
        return [b"\1" + file.read_bytes() for file in (Path(__file__).parents[2] / "configs").glob("*.toml")]
    if name == "y4m":
        return [b"YUV4MPEG2 W4 H4 F25:1 Ip A1:1 C420jpeg\nFRAME\n" + bytes(24)]
    if name == "attachment":
        packed = full_attachment().pack()
        return [packed[:1] + packed[5:]]
    if name == "containers":
        box = (16).to_bytes(4, "big") + b"ftypisom" + bytes(4)
        webp = b"RIFF\x30\0\0\0WEBPANMF\x18\0\0\0" + bytes(24)
        checked = b"\x1f\x43\xb6\x75\x89\xbf\x84" + zlib.crc32(b"abc").to_bytes(4, "little") + b"abc"
        mxf = joined._MXF_PARTITION + bytes(2) + b"\x83\0\0\x04" + bytes(4)
        return [
            box * 2,
            webp,
            mxf * 2,
            joined.SEGMENT + b"\x81\0" + joined.SEGMENT + b"\x80",
            joined.SEGMENT + b"\x8e" + checked,
        ]
    return [b"\0" * 32, b"\2" * 32, b"12:reference.png", b"a title\nvdiff:AAEC"]


def full_attachment() -> attachment.Attachment:
    """An attachment with all of its parts."""
    network = attachment.Network(name="base", digest=bytes(8), error=(1, -2, 3))
    count = 2 * attachment.LUMA_OPERATORS + 2 * attachment.OPERATORS
    return attachment.Attachment(
        size=(48, 64),
        track=(24, 32),
        timestamps=attachment.Timestamps(time_base=attachment.Fraction(1, 1000), first=0, steps=(40, 41, 40)),
        wiener=attachment.WienerStep(
            error=(1, 2, 3), coefficients=(1, -1) * (count // 2), thresholds=(3,), directions=1
        ),
        network=network,
        key_frames=(1, 500),
        interpolation=attachment.WeightsId(name="base", digest=bytes(8)),
    )
