"""Measures the tables in `vdiff_jax/stream/compression_error.py`: the error of coded video, estimated in two ways.

    python scripts/measure_coding.py CLIPS [--draws 400]

Cuts small clips from the first frames of the videos in CLIPS and from its photographs, reduced in size so that they are
clean, and codes them as training does. Two least squares fits are printed, both for log2 of the error in 8-bit units:
for each codec, a line over the quantiser for Y', Cb and Cr; and weights of the features of the decoded frames, which
serve where no quantiser is known.
"""

from pathlib import Path

import cv2
import numpy as np
from benchmarking.arguments import new_parser
from benchmarking.scenes import PICTURES, VIDEOS

from vdiff_jax.corruption.coding import coded, rgb_to_stored
from vdiff_jax.media.quantisers import scale_of
from vdiff_jax.stream.compression_error import features, heights

FRAMES, SIDE = 6, 176


def main() -> None:
    """Measures and prints the tables."""
    parser = new_parser(__doc__)
    parser.add_argument("clips", type=Path, help="a folder of videos and photographs")
    parser.add_argument("--draws", type=int, default=400, help="clips that are coded (default: 400)")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    clips = [clip for path in sorted(options.clips.rglob("*")) for clip in _clips(path, rng)]
    rows = [_measured(rng, clips[int(rng.integers(len(clips)))]) for _ in range(options.draws)]
    for codec in sorted({row[0] for row in rows if scale_of(row[0]) is not None}):
        height = np.concatenate([heights(codec, row[1]) for row in rows if row[0] == codec])
        error = np.log2(np.concatenate([row[2] for row in rows if row[0] == codec]))
        lines, rest, *_ = np.linalg.lstsq(np.stack([np.ones_like(height), height], axis=1), error, rcond=None)
        deviation = np.sqrt(rest / len(height)).round(2)
        print(f'    "{codec}": {lines.round(4).tolist()},  # log2 deviation {deviation.tolist()}, {len(height)} frames')
    measured = np.array([[*row[3], 1.0] for row in rows])
    error = np.log2(np.array([np.sqrt(np.mean(row[2][:, 0] ** 2)) for row in rows]))
    half = np.arange(len(rows)) % 2 == 0
    weights = np.linalg.lstsq(measured[half], error[half], rcond=None)[0]
    deviation = np.std(error[~half] - measured[~half] @ weights)
    print(f"    {np.linalg.lstsq(measured, error, rcond=None)[0].round(3).tolist()}")
    print(f"log2 deviation on the other half {deviation:.2f}, of the error itself {np.std(error):.2f}")


def _clips(path: Path, rng: np.random.Generator) -> list[np.ndarray]:
    """R'G'B' clips `t h w 3` in [0, 1] cut from a file; none if it is no picture or too small."""
    if path.suffix.lower() in VIDEOS:
        capture = cv2.VideoCapture(str(path))
        frames = [frame for read, frame in (capture.read() for _ in range(FRAMES)) if read]
        capture.release()
    elif path.suffix.lower() in PICTURES and rng.random() < 0.2:
        frames = [cv2.imread(str(path))]
    else:
        return []
    if len(frames) not in (1, FRAMES) or min(frames[0].shape[:2]) < 2 * SIDE:
        return []
    scale = max(SIDE + 40, min(frames[0].shape[0] // 2, 360)) / frames[0].shape[0]
    frames = [cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[..., ::-1] for frame in frames]
    return [_cut(frames, rng) for _ in range(1 if len(frames) == 1 else 3)]


def _cut(frames: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """A random crop of a video; of a photograph, a crop that moves like a camera."""
    room = np.array(frames[0].shape[:2]) - SIDE
    drift = rng.integers(0, np.minimum(5, room // FRAMES) + 1) if len(frames) == 1 else np.zeros(2, int)
    start = rng.integers(0, room - drift * (FRAMES - 1) + 1)
    places = [start + n * drift for n in range(FRAMES)]
    shown = frames * FRAMES if len(frames) == 1 else frames
    clip = np.stack([f[y : y + SIDE, x : x + SIDE] for f, (y, x) in zip(shown, places)])
    return clip.astype(np.float32) / 255


def _measured(rng: np.random.Generator, clip: np.ndarray) -> tuple:
    """Codes a clip; the codec, each frame's quantiser, its error of Y', Cb and Cr in 8-bit units, and features."""
    video = coded(rng, clip)
    error = 255 * np.sqrt(np.mean((video.clip - rgb_to_stored(clip)) ** 2, axis=(1, 2)))
    return video.codec, video.quantisers, np.maximum(error, 0.1), features(video.clip[..., 0])


if __name__ == "__main__":
    main()
