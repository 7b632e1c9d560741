"""What each choice of motion is worth, the network and its cost being the same.

    python scripts/measure_motion.py CLIPS [--scenes davis_camel,bikes] [--weights base] [--frames 11]

Holes (a still logo, a walking figure; PSNR inside the mask) and frames in between (every other one is taken away), over
the scenes, in dB; motion is measured on the damaged frames, in milliseconds of one core a frame. The weights were
trained with motion from both neighbours: none was trained without what is taken away here.
"""

import argparse
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from benchmarking.problems import holes
from benchmarking.scenes import find_scenes, read_scene
from flax import nnx

from vdiff_jax import weights
from vdiff_jax.diffusion.rollout import rollout
from vdiff_jax.diffusion.step import start
from vdiff_jax.observation import Observation
from vdiff_jax.preprocess.colour import from_rgb
from vdiff_jax.stream.flow import FlowFrame, MotionMeter
from vdiff_jax.stream.velocity import velocity
from vdiff_jax.tasks import inpaint, interpolate
from vdiff_jax.tasks.projection import project

Velocity = np.ndarray
_TO_YCBCR = from_rgb("bt601").T
_TO_RGB = np.linalg.inv(_TO_YCBCR)
_GREY = np.array([0, 0.5, 0.5], np.float32)


def none(seen: list[FlowFrame]) -> Velocity:
    """Standing still."""
    return np.zeros_like(velocity(seen[:1]).repeat(len(seen), axis=0))


def coarse(seen: list[FlowFrame]) -> Velocity:
    """The flow of the frame before taken where it stands, without occlusion, on the coarse levels of the search."""
    return _without_occlusion(seen, fine=False)


def fine(seen: list[FlowFrame]) -> Velocity:
    """The same, searched finely."""
    return _without_occlusion(seen, fine=True)


def _without_occlusion(seen: list[FlowFrame], *, fine: bool) -> Velocity:
    meter, field = MotionMeter(), velocity(seen)
    for n in (n for n in range(1, len(seen) - 1) if seen[n].small is None):
        whole = meter.displacement(seen[n - 1], seen[n + 1], fine=fine)
        field[n] = np.concatenate([-whole / 2, whole / 2], axis=-1)
    return field


CHOICES: dict[str, tuple[Callable[[list[FlowFrame]], Velocity], bool, tuple[str, ...]]] = {
    "no motion": (none, True, ("logo", "figure", "between")),
    "forward only": (velocity, False, ("logo", "figure", "between")),
    "forward, backward": (velocity, True, ("logo", "figure", "between")),
    "forward, backward, no occlusion": (fine, True, ("between",)),
    "forward, backward, no occlusion, coarse": (coarse, True, ("between",)),
}
"""How the field is made, whether the frame ahead is seen, and what the choice makes a difference to."""


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--scenes", type=lambda text: text.split(","))
    parser.add_argument("--weights", default="base")
    parser.add_argument("--frames", type=int, default=11)
    options = parser.parse_args()
    found = find_scenes(options.clips)
    network = weights.load(options.weights)
    figures: dict[tuple[str, str], list[float]] = {}
    seconds: dict[str, list[float]] = {}
    for scene in options.scenes or found:
        clean = read_scene(found[scene], options.frames, (640, 360))
        clean = clean[:, : clean.shape[1] // 8 * 8, : clean.shape[2] // 8 * 8]
        for kind in ("logo", "figure", "between"):
            observation, missing = _damaged(clean, kind, scene)
            seen = [
                FlowFrame.from_luma(np.asarray(luma), np.asarray(known), time=float(n))
                for n, (luma, known) in enumerate(zip(observation.values[..., 0], observation.known[..., 0]))
            ]
            for name, (field, ahead, kinds) in CHOICES.items():
                if kind in kinds:
                    begun = time.process_time()
                    moved = dataclasses.replace(observation, velocity=field(seen))
                    if field is velocity:
                        seconds.setdefault(name, []).append((time.process_time() - begun) / len(seen))
                    restored = restore(network, moved, ahead=ahead)
                    figures.setdefault((name, kind), []).append(_psnr(restored, clean, missing))
    print("| motion | logo | figure | between | ms a frame |\n|---|---|---|---|---|")
    for name in CHOICES:
        cells = [figures.get((name, kind)) for kind in ("logo", "figure", "between")]
        texts = ["" if cell is None else f"{np.mean(cell):.2f}" for cell in cells]
        texts.append(f"{1000 * np.median(seconds[name]):.1f}" if name in seconds else "")
        print(f"| {name} | {' | '.join(texts)} |")


def _damaged(clean: np.ndarray, kind: str, scene: str) -> tuple[Observation, np.ndarray]:
    """What is known of the scene, and what is missing, bool `t h w`."""
    clip = jnp.asarray(clean.astype(np.float32) / 255 @ _TO_YCBCR + _GREY, jnp.float32)
    if kind == "between":
        exists = np.arange(len(clean)) % 2 == 0
        return interpolate.observe(clip, exists), np.broadcast_to(~exists[:, None, None], clean.shape[:3])
    missing = holes(kind, scene, clean.shape[:3])
    return inpaint.observe(clip, jnp.asarray(missing[..., None], jnp.float32), jnp.zeros(3)), missing


def restore(network: weights.Weights, observation: Observation, *, ahead: bool) -> np.ndarray:
    """The clip, uint8 RGB `t h w 3`; without a look ahead each frame is a chunk of its own that nothing follows."""
    definition, params, _ = network

    @jax.jit
    def run(observation, carry):
        return rollout(nnx.merge(definition, params), observation, carry, project=project, skip_exact=True)

    carry = start(nnx.merge(definition, params).config, observation.values.shape[1:3])
    if ahead:
        _, clip = run(observation, carry)
    else:
        frames = []
        for n in range(len(observation.time)):
            carry, frame = run(jax.tree.map(lambda leaf, n=n: leaf[n : n + 1], observation), carry)
            frames.append(frame)
        clip = np.concatenate(frames)
    return np.clip(np.rint((np.asarray(clip) - _GREY) @ _TO_RGB * 255), 0, 255).astype(np.uint8)


def _psnr(frames: np.ndarray, clean: np.ndarray, missing: np.ndarray) -> float:
    """In the missing parts, the mean over the frames that have any."""
    errors = [np.square(f.astype(float) - c)[m].mean() for f, c, m in zip(frames, clean, missing) if m.any()]
    return float(np.mean(10 * np.log10(255**2 / np.maximum(errors, 1e-6))))


if __name__ == "__main__":
    main()
