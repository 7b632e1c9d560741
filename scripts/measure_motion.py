"""Measures how many dB each use of motion gains, with the same network and cost.

    python scripts/measure_motion.py CLIPS [--scenes davis_camel,bikes] [--weights base] [--frames 11]

Prints PSNR in dB, mean over the scenes: of holes (a still logo, a walking figure; inside the mask), and of the frames
between when every other one is left out. Also the milliseconds of CPU that measuring the motion takes for each frame.
Motion is measured on the damaged frames. The weights were trained with motion from both neighbours; they were not
trained again for the variants that use less.
"""

import dataclasses
import functools
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from benchmarking.arguments import new_parser, words
from benchmarking.problems import holes
from benchmarking.scenes import find_scenes, read_scene
from benchmarking.scores import psnr
from flax import nnx

from vdiff_jax import weights
from vdiff_jax.diffusion.rollout import rollout
from vdiff_jax.diffusion.step import Carry, start
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


def none(frames: list[FlowFrame]) -> Velocity:
    """No motion: a zero velocity."""
    return np.zeros_like(velocity(frames[:1]).repeat(len(frames), axis=0))


def coarse(frames: list[FlowFrame]) -> Velocity:
    """For a frame left out: half the flow between its neighbours, coarse search, without occlusion."""
    return _without_occlusion(frames, fine=False)


def fine(frames: list[FlowFrame]) -> Velocity:
    """The same with the fine search."""
    return _without_occlusion(frames, fine=True)


def _without_occlusion(frames: list[FlowFrame], *, fine: bool) -> Velocity:
    meter, field = MotionMeter(), velocity(frames)
    for n in (n for n in range(1, len(frames) - 1) if frames[n].small is None):
        whole = meter.displacement(frames[n - 1], frames[n + 1], fine=fine)
        field[n] = np.concatenate([-whole / 2, whole / 2], axis=-1)
    return field


CHOICES: dict[str, tuple[Callable[[list[FlowFrame]], Velocity], bool, tuple[str, ...]]] = {
    "no motion": (none, True, ("logo", "figure", "between")),
    "forward only": (velocity, False, ("logo", "figure", "between")),
    "forward, backward": (velocity, True, ("logo", "figure", "between")),
    "forward, backward, no occlusion": (fine, True, ("between",)),
    "forward, backward, no occlusion, coarse": (coarse, True, ("between",)),
}
"""For each variant: how the velocity is made, whether the next frame is used, and the damage that it matters for."""


def main() -> None:
    """Measures and prints the table."""
    parser = new_parser(__doc__)
    parser.add_argument("clips", type=Path, help="a folder of videos and folders of pictures")
    parser.add_argument("--scenes", type=words, metavar="A,B", help="names of scenes (default: all)")
    parser.add_argument("--weights", default="base", help="name or file of the weights (default: base)")
    parser.add_argument("--frames", type=int, default=11, help="frames of a scene (default: 11)")
    options = parser.parse_args()
    scenes = find_scenes(options.clips, options.scenes)
    network = weights.load(options.weights)
    figures: dict[tuple[str, str], list[float]] = {}
    seconds: dict[str, list[float]] = {}
    for scene, path in scenes.items():
        clean = read_scene(path, options.frames, (640, 360))
        clean = clean[:, : clean.shape[1] // 8 * 8, : clean.shape[2] // 8 * 8]
        for kind in ("logo", "figure", "between"):
            observation, missing = _damaged(clean, kind, scene)
            frames = [
                FlowFrame.from_luma(np.asarray(luma), np.asarray(known), time=float(n))
                for n, (luma, known) in enumerate(zip(observation.values[..., 0], observation.known[..., 0]))
            ]
            for name, (field, ahead, kinds) in CHOICES.items():
                if kind in kinds:
                    begun = time.process_time()
                    moved = dataclasses.replace(observation, velocity=field(frames))
                    if field is velocity:
                        seconds.setdefault(name, []).append((time.process_time() - begun) / len(frames))
                    restored = restore(network, moved, ahead=ahead)
                    figures.setdefault((name, kind), []).append(psnr(restored, clean, missing))
    print("| motion | logo | figure | between | ms a frame |\n|---|---|---|---|---|")
    for name in CHOICES:
        cells = [figures.get((name, kind)) for kind in ("logo", "figure", "between")]
        texts = ["" if cell is None else f"{np.mean(cell):.2f}" for cell in cells]
        texts.append(f"{1000 * np.median(seconds[name]):.1f}" if name in seconds else "")
        print(f"| {name} | {' | '.join(texts)} |")


def _damaged(clean: np.ndarray, kind: str, scene: str) -> tuple[Observation, np.ndarray]:
    """The observation of a damaged scene, and its missing pixels, bool `t h w`."""
    clip = jnp.asarray(clean.astype(np.float32) / 255 @ _TO_YCBCR + _GREY, jnp.float32)
    if kind == "between":
        exists = np.arange(len(clean)) % 2 == 0
        return interpolate.observe(clip, exists), np.broadcast_to(~exists[:, None, None], clean.shape[:3])
    missing = holes(kind, scene, clean.shape[:3])
    return inpaint.observe(clip, jnp.asarray(missing[..., None], jnp.float32), jnp.zeros(3)), missing


@functools.partial(jax.jit, static_argnums=0)
def _rollout(
    definition: nnx.GraphDef, params: nnx.State, observation: Observation, carry: Carry
) -> tuple[Carry, jax.Array]:
    """The rollout of training; compiled once for all variants and scenes of a size."""
    return rollout(nnx.merge(definition, params), observation, carry, project=project, skip_exact=True)


def restore(network: weights.Weights, observation: Observation, *, ahead: bool) -> np.ndarray:
    """The restored clip, uint8 RGB `t h w 3`. Without `ahead`, each frame is a chunk of its own and has no next one."""
    carry = start(network.config, observation.values.shape[1:3])
    if ahead:
        _, clip = _rollout(network.definition, network.params, observation, carry)
    else:
        frames = []
        for n in range(len(observation.time)):
            one = jax.tree.map(lambda leaf, n=n: leaf[n : n + 1], observation)
            carry, frame = _rollout(network.definition, network.params, one, carry)
            frames.append(frame)
        clip = np.concatenate(frames)
    return np.clip(np.rint((np.asarray(clip) - _GREY) @ _TO_RGB * 255), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
