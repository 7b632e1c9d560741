"""Set-up of all tests: shapes are checked, arrays of different rank are never broadcast, the CPU time is printed."""

import atexit
import dataclasses
import functools
import gc
import inspect
import logging
import os
import shutil
import tempfile

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")  # compiling takes most of the tests' time
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_parallel_codegen_split_count=1")  # to split the work takes time, too
os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")
os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")  # further threads would wait in busy loops, here and below
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # shared by all tests and the programs that they start
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="vdiff_jax-tests-")
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")

import fsspec
import jaxtyping
from fsspec.implementations.memory import MemoryFileSystem

CHECKED_CALLS = 2
"""The calls of each function that are checked in a test, the first ones. To check all would take half of its time."""
_calls: dict[int, int] = {}


def _checked_at_first(typechecker, jaxtyped=jaxtyping.jaxtyped):
    """Does what `jaxtyping.jaxtyped` does, for the first calls of a function in each test."""
    checked = jaxtyped(typechecker=typechecker)

    def decorate(target):
        if dataclasses.is_dataclass(target):
            target.__init__ = decorate(target.__init__)
            return target
        if not inspect.isfunction(target):
            return checked(target)
        key, made = id(target.__code__), []  # the same for all closures of one nested function

        @functools.wraps(target)
        def call(*args, **kwargs):
            count = _calls[key] = _calls.get(key, 0) + 1
            if count > CHECKED_CALLS:
                return target(*args, **kwargs)
            if not made:
                made.append(checked(target))
            return made[0](*args, **kwargs)

        return call

    return decorate


jaxtyping.jaxtyped = _checked_at_first
jaxtyping.install_import_hook("vdiff_jax", "beartype.beartype")

CPU_SECONDS = 600
"""What the whole suite may take, user and system time together, on two cores."""


def pytest_collection_finish():
    """Makes Python's garbage collector run less often, on fewer objects: JAX makes very many while it traces."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def pytest_terminal_summary(terminalreporter):
    """Prints the CPU time of this process and of the programs it ran; above the limit it is a warning, no failure.

    Machines differ in speed by a factor of 2.5, so a slow one must not fail the suite.
    """
    seconds = sum(os.times()[:4])
    over = seconds > CPU_SECONDS
    limit = f"more than the limit of {CPU_SECONDS} s: make tests smaller" if over else f"limit {CPU_SECONDS} s"
    terminalreporter.write_line(f"CPU time of the tests: {seconds:.0f} s (user + system; {limit})", yellow=over)


@pytest.fixture(autouse=True)
def _check_anew():
    """Lets the shapes of each function's first calls be checked in this test, too."""
    _calls.clear()


@pytest.fixture(autouse=True)
def _log_as_at_the_start():
    """Takes back what commands do to the log: its level, and a handler for the stderr of the test that ran them."""
    logging.getLogger("vdiff_jax").setLevel(logging.NOTSET)
    handlers = logging.root.handlers
    handlers[:] = [handler for handler in handlers if not getattr(getattr(handler, "stream", None), "closed", False)]


class Bucket(MemoryFileSystem):
    """The buckets of s3://, in memory. All tests share this class, because epath keeps the first that it was given."""

    protocol = "s3"
    store: dict = {}  # noqa: RUF012 as its base has it
    pseudo_dirs = [""]  # noqa: RUF012
    forbidden = False

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.removeprefix("s3:/"))

    def _open(self, path, mode="rb", **options):
        if self.forbidden:
            raise PermissionError("Access Denied")
        return super()._open(path, mode, **options)


@pytest.fixture
def bucket(monkeypatch):
    """The files of all s3:// buckets, none at first. While its class has `forbidden = True` no file can be opened."""
    fsspec.register_implementation("s3", Bucket, clobber=True)
    monkeypatch.setattr(Bucket, "store", {})
    monkeypatch.setattr(Bucket, "pseudo_dirs", [""])
    return Bucket()


@pytest.fixture(scope="session")
def sample_clips(tmp_path_factory):
    """A folder with noisy.mkv, truth.mkv and mask.mkv: 160×96 pixels from 8 frames of the sample, without loss."""
    import itertools

    from vdiff_jax import media, sample

    folder = tmp_path_factory.mktemp("sample")
    for name, source in (("noisy", sample.NOISY), ("truth", sample.TRUTH), ("mask", sample.MASK)):
        with media.open_reader(source) as reader:
            info = dataclasses.replace(reader.info, width=160, height=96)
            shapes = info.pixels.plane_shapes(160, 96)
            with media.open_writer(folder / f"{name}.mkv", info, codec="ffv1") as writer:
                for frame in itertools.islice(reader, 8):
                    planes = zip(frame.planes, shapes)
                    cropped = tuple(
                        plane[rows : 2 * rows, columns : 2 * columns].copy() for plane, (rows, columns) in planes
                    )
                    writer.write(dataclasses.replace(frame, planes=cropped))
    return folder


@pytest.fixture(scope="session")
def film(tmp_path_factory):
    """A folder with film.mkv, 39 frames of 64×48 in shots of 9, 7, 1, 12 and 10 frames, and mask.png.

    From eight frames on, cuts follow at 9, 17 and 29. The cut at 16 comes before a shot of one frame.
    """
    from fractions import Fraction

    import numpy as np

    from vdiff_jax import media
    from vdiff_jax.pixels import Frame, PixelFormat

    folder = tmp_path_factory.mktemp("film")
    pixels = PixelFormat(kind="yuv", subsampling=(2, 2))
    info = media.VideoInfo(width=64, height=48, pixels=pixels, rate=Fraction(25), time_base=Fraction(1, 1000))
    rng = np.random.default_rng(0)
    times = iter(range(0, 40 * 39, 40))
    with media.open_writer(folder / "film.mkv", info, options={"crf": "4"}) as writer:
        for shot, count in enumerate((9, 7, 1, 12, 10)):
            rough = rng.normal(40 + 150 * (shot % 2), 40, (8, 8)).repeat(8, 0).repeat(12, 1)
            for n in range(count):
                luma = np.roll(rough, n, 1)[:48, :64] + rng.normal(0, 6, (48, 64))
                planes = (np.clip(luma, 16, 235).astype(np.uint8), *[np.full((24, 32), 120 + shot, np.uint8)] * 2)
                writer.write(Frame(planes, next(times), 40))
    mask = np.zeros((48, 64, 3), np.uint8)
    mask[20:30, 20:34] = 255
    media.write_picture(folder / "mask.png", mask)
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The file of a network with random weights, whose Wiener step looks at neighbouring frames."""
    import numpy as np

    from vdiff_jax import weights
    from vdiff_jax.nn.network import SIZES
    from vdiff_jax.postprocess.residual_filter import Coefficients, WienerModel
    from vdiff_jax.postprocess.residual_operators import CHROMA, CLASSES, COLOURS, LUMA
    from vdiff_jax.training.step import build

    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    luma = np.zeros((2, CLASSES, LUMA + COLOURS))
    luma[..., 17:21] = 0.2
    rgb = Coefficients(np.ones(2), luma, np.full((2, 2, CHROMA), 0.01))
    model = WienerModel(np.array([4.0, 8.0]), rgb._replace(luma=luma[..., :LUMA]), rgb)
    far = Coefficients(np.ones(2), np.pad(luma, [(0, 0), (0, 0), (4, 0)]), np.full((2, 2, CHROMA + 4), 0.01))
    both = WienerModel(model.errors, far._replace(luma=far.luma[..., COLOURS:]), far)
    weights.save(path, SIZES["tiny"], build(SIZES["tiny"])[1], {}, model, both)
    return str(path)


@pytest.fixture(scope="session")
def flash_clip():
    """Writes a video of 64×48 pixels with a white frame and a beep at the same times, so that sync can be measured."""
    from fractions import Fraction

    import av
    import numpy as np

    def write(path, *, seconds=0.8, rate=25, flashes=(0.2, 0.6), clock=0, sound="aac", sound_seconds=None, **options):
        """`clock` is the time in seconds of the first frame; `sound=None` makes a silent file."""
        with av.open(str(path), "w", options=options) as output:
            video = output.add_stream("mpeg2video", rate=rate)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            video.codec_context.gop_size = rate
            audio = output.add_stream(sound, rate=48000, layout="mono") if sound else None
            for number in range(round(seconds * rate)):
                white = any(abs(number / rate - flash) < 0.5 / rate for flash in flashes)
                picture = av.VideoFrame.from_ndarray(np.full((48, 64), 235 if white else 16, np.uint8), "gray")
                picture = picture.reformat(format="yuv420p")
                picture.pts, picture.time_base = number + round(clock * rate), Fraction(1, rate)
                output.mux(video.encode(picture))
                if audio is not None and number == 0:
                    times = np.arange(round((sound_seconds or seconds) * 48000)) / 48000
                    on = sum(((times >= flash) & (times < flash + 0.05)) for flash in flashes)
                    wave = (0.5 * on * np.sin(2 * np.pi * 1000 * times)).astype(np.float32)
                    frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
                    frame.sample_rate, frame.time_base = 48000, Fraction(1, 48000)
                    frame.pts = round(clock * 48000)
                    output.mux(audio.encode(frame))
            for stream in (video, audio) if audio else (video,):
                output.mux(stream.encode(None))
        return path

    return write


@pytest.fixture(scope="session")
def flashes_and_beeps():
    """Returns the times in seconds at which a file's flashes and beeps begin."""
    import av
    import numpy as np

    def measure(path):
        with av.open(str(path)) as container:
            bright = [(f.time, f.to_ndarray(format="gray").mean() > 128) for f in container.decode(video=0)]
        flashes = [time for (time, on), (_, before) in zip(bright, [(0, False), *bright]) if on and not before]
        beeps, latest = [], -1.0
        with av.open(str(path)) as container:
            for frame in container.decode(audio=0) if container.streams.audio else ():
                samples = frame.to_ndarray().astype(float)
                peak = 1 if frame.format.name.startswith("flt") else np.iinfo(frame.to_ndarray().dtype).max
                channels = 1 if frame.format.is_planar else frame.layout.nb_channels
                for index in np.flatnonzero(np.abs(samples[0, ::channels]) > 0.05 * peak):
                    time = frame.time + index / frame.sample_rate
                    if time - latest > 0.1:
                        beeps.append(time)
                    latest = time
        return flashes, beeps

    return measure
