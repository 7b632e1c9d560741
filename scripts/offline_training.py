"""Trains for some minutes on a machine with a GPU and without a network, from one small folder.

    python scripts/offline_training.py pack FOOTAGE BUNDLE --weights base-superres --config configs/superres.toml
    python scripts/offline_training.py train BUNDLE OUT --minutes 9 [--set data.batch=64 train.compute=bfloat16]

`pack` decodes FOOTAGE as training does, with videos reduced, and writes BUNDLE: JPEGs, short videos, the weights, the
configuration, and wheels of the packages that are named. `train` installs these wheels into a folder, keeps all
footage in the GPU's memory and makes the clips there. Every two minutes it copies the newest weights and the metrics
to OUT, so that nothing is lost when the machine is taken away. Training goes on from OUT with `--init-from`.
"""

import argparse
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

from benchmarking.arguments import new_parser, words

PACKAGE = Path(__file__).parents[1]
CONFIG, WEIGHTS, METRICS, FOOTAGE, WHEELS = "config.toml", "weights.safetensors", "metrics.jsonl", "footage", "wheels"
PHOTO_SHARE = 0.4
"""Of the bytes for footage, those for photographs."""
JPEG_QUALITY, CRF = 92, "12"
SMALLEST = 192
"""Pixels: photographs are not reduced any further than to this shorter side."""


def main() -> None:
    """Packs or trains."""
    parser = new_parser(__doc__)
    commands = parser.add_subparsers(dest="command", required=True, help="what to do")
    packing = commands.add_parser("pack", help="writes the folder")
    packing.add_argument("footage", type=Path, help="a folder of videos and photographs")
    packing.add_argument("bundle", type=Path, help="the folder to write")
    packing.add_argument("--weights", required=True, help="the name or file of the weights to start from")
    packing.add_argument("--config", type=Path, required=True, help="the configuration of the training")
    packing.add_argument("--megabytes", type=float, default=55, help="for all of it (default: 55)")
    packing.add_argument("--exclude", type=words, default=[], metavar="A,B", help="parts of names to leave out")
    packing.add_argument("--packages", type=words, default=[], metavar="A,B", help="packages that the machine lacks")
    packing.add_argument("--python", default="3.12", help="the machine's version of Python (default: 3.12)")
    packing.add_argument("--cache", type=Path, default=Path("cache"), help="decoded footage (default: cache)")
    training = commands.add_parser("train", help="trains from the folder")
    training.add_argument("bundle", type=Path, help="the folder that pack wrote")
    training.add_argument("out", type=Path, help="the folder for weights and metrics")
    training.add_argument("--minutes", type=float, default=9, help="of training (default: 9)")
    training.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="change the configuration")
    training.add_argument("--where", default="device", help="where clips are made: device or host (default: device)")
    options = parser.parse_args()
    if options.command == "pack":
        pack(options)
    else:
        sys.exit(train(options))


def pack(options: argparse.Namespace) -> None:
    """Writes the folder and prints its size."""
    from vdiff_jax import config, weights
    from vdiff_jax.training.cache import decode

    run = config.load(options.config)
    bundle = options.bundle
    (bundle / FOOTAGE).mkdir(parents=True)
    shutil.copy(options.config, bundle / CONFIG)
    found = weights.load(options.weights)
    weights.save(bundle / WEIGHTS, found.config, found.params, {}, found.wiener_model, found.wiener_of_both)
    if options.packages:
        platforms = [f"--platform=manylinux{tail}" for tail in ("_2_28_x86_64", "_2_17_x86_64", "2014_x86_64")]
        download = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", *platforms]
        target = [f"--python-version={options.python}", "-d", str(bundle / WHEELS)]
        subprocess.run([*download, *target, *options.packages], check=True)
    items = decode(options.footage, options.cache, reduction=run.data.reduction, exclude=tuple(options.exclude))
    photos = [item for item in items if len(item.frames()) == 1]
    videos = [item for item in items if len(item.frames()) > 1]
    left = 1e6 * options.megabytes - size(bundle)
    for number, item in enumerate(photos):
        share = PHOTO_SHARE if videos else 1.0
        write_photo(item.frames()[0], bundle / FOOTAGE / f"{number:04d}.jpg", share * left / len(photos))
    left = 1e6 * options.megabytes - size(bundle)
    for number, item in enumerate(videos):
        write_video(item.frames(), bundle / FOOTAGE / f"{number:04d}.mp4", left / len(videos))
    print(f"{bundle}: {len(photos)} photographs, {len(videos)} videos, {size(bundle) / 1e6:.1f} MB")


def write_photo(picture, path: Path, most: float) -> None:
    """Writes a JPEG of at most so many bytes; a larger one is reduced."""
    import cv2

    while True:
        _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if len(data) <= most or min(picture.shape[:2]) <= SMALLEST:
            path.write_bytes(data.tobytes())
            return
        scale = max(0.95 * math.sqrt(most / len(data)), SMALLEST / min(picture.shape[:2]))
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def write_video(frames, path: Path, most: float) -> None:
    """Writes as many of the first frames as fit into so many bytes, of even height and width."""
    from vdiff_jax import media
    from vdiff_jax.pixels import Frame, PixelFormat

    height, width = (side // 2 * 2 for side in frames.shape[1:3])
    pixels = PixelFormat(kind="rgb", full_range=True)
    info = media.VideoInfo(width=width, height=height, pixels=pixels, rate=Fraction(25), time_base=Fraction(1, 25))
    count = len(frames)
    while True:
        with media.open_writer(path, info, codec="libx264", options={"crf": CRF}, trial=True) as writer:
            for number, picture in enumerate(frames[:count]):
                writer.write(Frame(tuple(picture[:height, :width, plane].copy() for plane in range(3)), number))
        if path.stat().st_size <= most or count <= 2:
            return
        count = max(2, int(0.95 * count * most / path.stat().st_size))
        path.unlink()


def train(options: argparse.Namespace) -> int:
    """Trains in a process of its own until the time is over; returns its exit code, 0 if it was stopped."""
    site, workdir = options.out.resolve() / "site", Path(options.out.resolve(), "run")
    workdir.mkdir(parents=True, exist_ok=True)
    paths = [str(PACKAGE), os.environ.get("PYTHONPATH", "")]
    if wheels := sorted(map(str, (options.bundle / WHEELS).glob("*.whl"))):
        install = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-compile"]
        subprocess.run([*install, "--target", str(site), *wheels], check=True)
        paths.insert(1, str(site))
    changes = [f"data.where={options.where}", "data.reduction=1", *options.set]
    settings = [part for change in changes for part in (f"--{change.split('=')[0]}", change.split("=", 1)[1])]
    command = [sys.executable, "-m", "vdiff_jax.train", "--config", str(options.bundle / CONFIG)]
    command += ["--data", str(options.bundle / FOOTAGE), "--cache", str(options.out.resolve() / "cache")]
    command += ["--workdir", str(workdir), "--init-from", str(options.bundle / WEIGHTS), *settings]
    run = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))})
    end, stopped = time.monotonic() + 60 * options.minutes, False
    while run.poll() is None:
        try:
            run.wait(min(120, max(end - time.monotonic(), 1)))
        except subprocess.TimeoutExpired:
            keep(workdir, options.out)
            if time.monotonic() >= end and not stopped:
                run.send_signal(signal.SIGTERM)  # it saves a checkpoint and the weights
                stopped = True
    keep(workdir, options.out)
    shutil.rmtree(site, ignore_errors=True)
    return 0 if stopped else run.returncode


def keep(workdir: Path, out: Path) -> None:
    """Copies the newest weights and the metrics; each copy is whole, even if this program is killed meanwhile."""
    for name in (WEIGHTS, METRICS):
        if (workdir / name).exists():
            partial = out / f"{name}.part"
            shutil.copy(workdir / name, partial)
            partial.replace(out / name)


def size(folder: Path) -> int:
    """The bytes of a folder's files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
