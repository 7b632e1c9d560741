"""Where the gain of `compress` comes from: luma's gain in dB of each of the decoder's steps.

    python scripts/compression_gains.py CLIPS [--scenes A,B] [--codec h264] [--crfs 22,27,32,37] [--frames 16]

Encodes the first frames of each scene by the plain codec, and fits the decoder's steps to them, as `compress` does. The
gain is the mean over frames of the rise in PSNR of Y', before the attachment's bytes, which are in the last column.
"""

import dataclasses
import tempfile
from pathlib import Path

from benchmarking.arguments import new_parser, numbers, words
from benchmarking.compression import ENCODERS, encode_plainly, write_source
from benchmarking.scenes import find_scenes, read_scene

from vdiff_jax.compression.attachment import Attachment, Network
from vdiff_jax.compression.attachment_choice import weights_id
from vdiff_jax.compression.closed_loop import ClosedLoop
from vdiff_jax.compression.decoder import in_sample_values, plan_of
from vdiff_jax.compression.fit import fits, measure_error
from vdiff_jax.compression.samples import Sample
from vdiff_jax.media import open_reader, probe
from vdiff_jax.media.quantisers import scale_of
from vdiff_jax.weights import load

STEPS = ("one class", "4 by activity", "5 by direction", "2 x 5", "4 x 5")
NETWORKS = ("fast-deblock", "base-deblock")


def main() -> None:
    """Prints a row for each scene and crf."""
    parser = new_parser(__doc__)
    parser.add_argument("clips", type=Path, help="a folder of videos and folders of pictures")
    parser.add_argument("--scenes", type=words, help="names of scenes (default: all)")
    parser.add_argument("--codec", choices=list(ENCODERS), default="h264", help="the codec (default: h264)")
    parser.add_argument("--crfs", type=numbers, default=[22, 27, 32, 37], help="its qualities (default: 22,27,32,37)")
    parser.add_argument("--frames", type=int, default=16, help="frames of each scene (default: 16)")
    options = parser.parse_args()
    print("| scene, crf |", " | ".join((*STEPS, *NETWORKS)), "| bytes of 4 x 5 |")
    print("| --- |" + " --- |" * (len(STEPS) + len(NETWORKS) + 1))
    with tempfile.TemporaryDirectory() as folder:
        for name, path in find_scenes(options.clips, options.scenes).items():
            source = Path(folder) / f"{name}.mkv"
            write_source(read_scene(path, options.frames, [640, 360]), source)
            for crf in options.crfs:
                coded = Path(folder) / "coded.mkv"
                encode_plainly(source, coded, options.codec, crf, ENCODERS[options.codec][1])
                gains, size = measured(source, coded, options.codec)
                print(f"| {name}, {crf:g} |", " | ".join(f"{gain:.3f}" for gain in gains), f"| {size} |", flush=True)


def measured(source: Path, coded: Path, codec: str) -> tuple[list[float], int]:
    """The gains of each step, and the bytes of the attachment with all classes."""
    with open_reader(source) as truth, open_reader(coded) as decoded:
        sample = Sample(list(truth), list(decoded), slice(2, -2))
    info = dataclasses.replace(probe(source), codec=codec)
    error = measure_error([sample], info.pixels, codec if scale_of(codec) is not None else None)
    attachment = Attachment(size=(info.height, info.width))
    gains, size = [], 0
    for weights in (None, *NETWORKS):
        part = None if weights is None else Network(**dataclasses.asdict(weights_id(weights)), error=error.relative)
        plan = plan_of(dataclasses.replace(attachment, network=part), info)
        network = None if weights is None else load(weights)
        loop = ClosedLoop(network, plan, [sample], in_sample_values(error.absolute, info.pixels))
        fitted = fits(loop, error, part)
        size = size or fitted[-1].size
        gains += [float(fit.gain[0]) for fit in (fitted if weights is None else fitted[-1:])]
    return gains, size


if __name__ == "__main__":
    main()
