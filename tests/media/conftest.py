"""Synthetic clips with known planes and times, made with PyAV alone."""

from fractions import Fraction

import av
import numpy as np
import pytest

SINE_RATE = 48000


def random_frame(width, height, fmt, seed):
    """An av.VideoFrame of noise. Every sample keeps to the format's bits."""
    frame = av.VideoFrame(width, height, fmt)
    noise = np.random.default_rng(seed)
    for index, plane in enumerate(frame.planes):
        bits = max(c.bits for c in frame.format.components if c.plane == index)
        dtype = np.uint8 if bits == 8 else np.uint16
        view = np.frombuffer(plane, dtype)
        view[:] = noise.integers(0, 1 << bits, view.size, dtype=dtype)
    return frame


def smooth_frame(width, height, fmt, t):
    """A moving ramp, which lossy codecs hardly change."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    rgb = np.stack([(x + 4 * t) % 200 + 20, (y + 2 * t) % 200 + 20, (x + y) % 200 + 20], -1).astype(np.uint8)
    return av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format=fmt)


def samples(frame):
    """The planes of an av.VideoFrame, in its order, without padding."""
    planes = []
    for index, plane in enumerate(frame.planes):
        bits = max(c.bits for c in frame.format.components if c.plane == index)
        dtype = np.dtype(np.uint8 if bits == 8 else np.uint16)
        rows = np.frombuffer(plane, dtype).reshape(plane.height, -1)
        planes.append(rows[:, : plane.width].copy())
    return planes


def sine(start, count):
    """An av.AudioFrame of `count` stereo samples at 440 Hz; its pts counts samples."""
    t = np.arange(start, start + count) / SINE_RATE
    tone = np.sin(2 * np.pi * 440 * t).astype(np.float32) * 0.3
    frame = av.AudioFrame.from_ndarray(np.stack([tone, tone]), format="fltp", layout="stereo")
    frame.pts, frame.time_base, frame.sample_rate = start, Fraction(1, SINE_RATE), SINE_RATE
    return frame


class Clip:
    """A file, and the planes and times that were written to it."""

    def __init__(self, path, frames, pts, time_base):
        self.path = path
        self.frames = frames
        self.pts = pts
        self.time_base = time_base


@pytest.fixture
def make_clip(tmp_path):
    """Writes a clip whose properties can all be set."""

    def make(
        name="clip.mkv",
        *,
        fmt="yuv420p",
        size=(64, 48),
        count=8,
        rate=25,
        pts=None,
        time_base=None,
        codec="ffv1",
        options=None,
        smooth=False,
        audio=None,
        aspect=None,
        tags=None,
        matrix=None,
        metadata=None,
        chapters=None,
    ):
        path = tmp_path / name
        rate = Fraction(rate)
        time_base = Fraction(time_base or 1 / rate)
        pts = list(range(count)) if pts is None else list(pts)
        build = smooth_frame if smooth else random_frame
        pictures = [build(*size, fmt, seed) for seed in range(len(pts))]
        with av.open(str(path), "w") as output:
            video = output.add_stream(codec, rate=rate, options=options or {})
            video.width, video.height, video.pix_fmt = *size, fmt
            video.codec_context.time_base = video.time_base = time_base
            if aspect:
                video.codec_context.sample_aspect_ratio = aspect
            for key, value in (tags or {}).items():
                setattr(video.codec_context, key, value)
            if matrix:
                video.set_display_matrix(matrix)
            sound = output.add_stream(audio, rate=SINE_RATE) if audio else None
            output.metadata.update(metadata or {})
            if chapters:
                output.set_chapters(chapters)
            packets = []
            for picture, stamp in zip(pictures, pts, strict=True):
                picture.pts, picture.time_base = stamp, time_base
                for key, value in (tags or {}).items():
                    setattr(picture, key, value)
                packets += video.encode(picture)
            packets += video.encode(None)
            if sound is not None:
                seconds = float((pts[-1] + 1) * time_base)
                for start in range(0, int(seconds * SINE_RATE), 1024):
                    packets += sound.encode(sine(start, 1024))
                packets += sound.encode(None)
            output.start_encoding()
            output.mux(sorted(packets, key=lambda packet: packet.dts * packet.time_base))
        return Clip(path, [samples(picture) for picture in pictures], pts, time_base)

    return make


@pytest.fixture
def decode():
    """Decodes a file with PyAV alone: planes of the frames, times in seconds, (format, width, height, rotation)."""

    def run(path):
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            frames = list(container.decode(stream))
            times = [Fraction(frame.pts) * stream.time_base for frame in frames]
            first = frames[0]
            rotation = first.rotation
            return [samples(f) for f in frames], times, (first.format.name, first.width, first.height, rotation)

    return run


@pytest.fixture
def copy_through():
    """Reads a file and writes it again unchanged."""
    from vdiff_jax.media import open_reader, open_writer

    def run(source, target, *, start=None, stop=None, copy=True, **options):
        with open_reader(source, start=start, stop=stop) as reader:
            with open_writer(target, reader.info, copy_from=source if copy else None, **options) as writer:
                for frame in reader:
                    writer.write(frame)
            return reader.info

    return run


@pytest.fixture
def write_clip():
    """Writes frames to an output."""
    from vdiff_jax.media import open_writer

    def write(target, info, frames, **options):
        with open_writer(target, info, **options) as writer:
            for frame in frames:
                writer.write(frame)

    return write


@pytest.fixture
def noise_planes():
    """Planes of noise in a pixel format."""

    def make(pixels, width, height, seed=0):
        noise = np.random.default_rng(seed)
        shapes = pixels.plane_shapes(width, height)
        return tuple(noise.integers(0, pixels.peak + 1, shape).astype(pixels.dtype) for shape in shapes)

    return make


@pytest.fixture
def leftovers():
    """The names of the files in a folder, sorted."""
    return lambda folder: sorted(path.name for path in folder.iterdir())


@pytest.fixture
def streams():
    """The codec of each type of stream in a file."""

    def read(path):
        with av.open(str(path)) as container:
            return {stream.type: stream.codec_context.codec.canonical_name for stream in container.streams}

    return read
