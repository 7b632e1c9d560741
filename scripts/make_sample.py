"""Makes the package's sample clip from a CC0 video.

    python scripts/make_sample.py flower.mp4

Writes to vdiff_jax/sample: the clean frames, the same with noise, scratches and a sound track, and the scratches' mask.
"""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import jax
import numpy as np
from benchmarking.arguments import new_parser

from vdiff_jax import sample
from vdiff_jax.corruption import holes
from vdiff_jax.corruption.noise import gaussian, quantise

SIZE = (480, 270)
FRAMES = 60
RATE = 24
SIGMA = 18 / 255
SOUND = 44100


def main() -> None:
    """Writes the three files."""
    parser = new_parser(__doc__)
    parser.add_argument("source", type=Path, help="the CC0 video")
    clean = read(parser.parse_args().source)
    mask_key, dirt_key, noise_key, tone_key = jax.random.split(jax.random.key(7), 4)
    shape = clean.shape[:3]
    mask = np.maximum(holes.scratches(mask_key, shape, lines=5), holes.blotches(dirt_key, shape, share=0.004))
    tone = np.where(jax.random.bernoulli(tone_key, 0.5, (shape[0], 1, 1, 1)), 0.92, 0.05)
    damaged = np.where(mask > 0, tone, clean / np.float32(255))
    noisy = np.asarray(quantise(gaussian(noise_key, damaged, SIGMA)) * 255, np.uint8)
    write(sample.TRUTH, clean, {"crf": "14", "preset": "veryslow"})
    write(sample.NOISY, noisy, {"crf": "26", "preset": "slow", "tune": "grain"}, sound=True)
    write(sample.MASK, np.repeat((mask * 255).astype(np.uint8), 3, axis=-1), {"qp": "0", "preset": "veryslow"}, "gray")
    for path in (sample.TRUTH, sample.NOISY, sample.MASK):
        print(f"{path.name}: {path.stat().st_size} bytes")


def read(source: Path) -> np.ndarray:
    """Every second frame of the source, reduced to SIZE, uint8 RGB `t h w 3`."""
    with av.open(str(source)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack([cv2.resize(f, SIZE, interpolation=cv2.INTER_AREA) for f in frames[: 2 * FRAMES : 2]])


def write(
    path: Path, clip: np.ndarray, options: dict[str, str], pixels: str = "yuv420p", *, sound: bool = False
) -> None:
    """Encodes frames, uint8 RGB `t h w 3`, by x264; with `sound`, a chord is their sound track."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE, options=options)
        video.width, video.height, video.pix_fmt = *SIZE, pixels
        audio = container.add_stream("aac", rate=SOUND, layout="mono", bit_rate=64000) if sound else None
        for picture in clip:
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())
        if audio is not None:
            container.mux(audio.encode(chord(len(clip) / RATE)))
            container.mux(audio.encode())


def chord(seconds: float) -> av.AudioFrame:
    """A soft major chord that swells and fades."""
    t = np.arange(int(seconds * SOUND)) / SOUND
    swell = np.sin(np.pi * t / seconds) ** 2
    wave = 0.1 * swell * sum(np.sin(2 * np.pi * f * t) for f in (261.63, 329.63, 392.0))
    frame = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], format="fltp", layout="mono")
    frame.sample_rate, frame.time_base, frame.pts = SOUND, Fraction(1, SOUND), 0
    return frame


if __name__ == "__main__":
    main()
