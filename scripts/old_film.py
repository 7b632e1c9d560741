"""Measures how well the damage of old film is found and repaired.

    python scripts/old_film.py CLIP [--frames 60] [--weights base] [--picture OUT.jpg]

CLIP is reduced to fit 640×360, made grey and damaged: dust (15 specks a frame, 4 to 12 pixels wide), two scratches from
top to bottom that drift sideways, brightness that flickers by 4 %, and grain of sigma 6.
Prints the PSNR of luma in dB, before and after `repair --mask auto`, over whole frames and inside the damage; the share
of the damaged pixels that was found; and the share of the other pixels that was taken for damage. The picture shows a
frame damaged, repaired and true.
"""

import tempfile
from pathlib import Path

import cv2
import numpy as np
from benchmarking.arguments import new_parser
from benchmarking.scenes import read_frames, read_scene, write_frames

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration.options import AUTO
from vdiff_jax.restoration.pipeline import repair
from vdiff_jax.stream.film import frames_and_damage

DUST, SCRATCHES, FLICKER, GRAIN = 15, 2, 0.04, 6.0


def main() -> None:
    """Measures and prints the figures."""
    parser = new_parser(__doc__)
    parser.add_argument("clip", type=Path, help="a video or a folder of pictures")
    parser.add_argument("--frames", type=int, default=60, help="frames of a scene (default: 60)")
    parser.add_argument("--weights", default="base", help="name or file of the weights (default: base)")
    parser.add_argument("--picture", type=Path, metavar="OUT.jpg", help="file for a picture of the result")
    options = parser.parse_args()
    colour = read_scene(options.clip, options.frames, (640, 360))
    clean = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in colour])
    damaged, holes = damage(clean)
    with tempfile.TemporaryDirectory() as folder:
        write_frames(Path(folder) / "damaged", damaged[..., None].repeat(3, axis=-1))
        repair(f"{folder}/damaged", f"{folder}/repaired/", mask=AUTO, weights=options.weights)
        repaired = read_frames(Path(folder) / "repaired")[..., 1]
    found = np.stack(list(frames_and_damage(_frames(damaged), PixelFormat(kind="gray", full_range=True))[1]))
    for name, clip in (("damaged", damaged), ("repaired", repaired)):
        whole, inside = _psnr(clip, clean), _psnr(clip, clean, holes)
        print(f"{name}: {whole:.2f} dB, inside the damage {inside:.2f} dB")
    print(f"damaged pixels found: {(found & holes).sum() / holes.sum():.1%}")
    print(f"other pixels taken for damage: {found[~holes].mean():.2%}")
    if options.picture:
        middle = int(holes.sum(axis=(1, 2)).argmax())
        strip = np.concatenate([clip[middle] for clip in (damaged, repaired, clean)], axis=1)
        small = cv2.resize(strip, None, fx=2 / 3, fy=2 / 3, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(options.picture), small, [cv2.IMWRITE_JPEG_QUALITY, 88])


def damage(clean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Grey frames, uint8 `t h w`, damaged like old film, and the mask of dust and scratches, bool `t h w`."""
    rng = np.random.default_rng(2024)
    count, height, width = clean.shape
    holes = np.zeros(clean.shape, bool)
    shown = clean.astype(np.float32)
    places = rng.uniform(0.1, 0.9, SCRATCHES) * width
    for t in range(count):
        shown[t] *= 1 + rng.normal(0, FLICKER)
        places += rng.normal(0, 1.0, SCRATCHES)
        for number, place in enumerate(places):
            column = int(np.clip(place, 0, width - 2))
            shown[t, :, column : column + 2] += (-1) ** number * 60
            holes[t, :, column : column + 2] = True
        for _ in range(DUST):
            speck = np.zeros((height, width), np.uint8)
            centre = int(rng.integers(width)), int(rng.integers(height))
            axes = tuple(int(side) for side in rng.integers(2, 7, 2))
            cv2.ellipse(speck, centre, axes, rng.uniform(0, 180), 0, 360, 1, -1)
            shown[t][speck > 0] = rng.choice([20, 235])
            holes[t] |= speck > 0
        shown[t] += rng.normal(0, GRAIN, (height, width))
    return np.clip(np.rint(shown), 0, 255).astype(np.uint8), holes


def _frames(clip: np.ndarray) -> list[Frame]:
    return [Frame((frame,), number, 1) for number, frame in enumerate(clip)]


def _psnr(clip: np.ndarray, clean: np.ndarray, where: np.ndarray | None = None) -> float:
    error = np.square(clip.astype(np.float64) - clean)
    return float(10 * np.log10(255**2 / (error if where is None else error[where]).mean()))


if __name__ == "__main__":
    main()
