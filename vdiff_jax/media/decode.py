"""Decoding one video file to frames, through FFmpeg."""

import dataclasses
import itertools
import logging
import math
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

from vdiff_jax.errors import InputError
from vdiff_jax.media.changes import Changes
from vdiff_jax.media.clock import clock_of
from vdiff_jax.media.completeness import declared_packets, tolerance
from vdiff_jax.media.damage import Damage
from vdiff_jax.media.deinterlace import deinterlaced
from vdiff_jax.media.display_order import DisplayOrder
from vdiff_jax.media.fidelity import BOTTOM_FIRST, UNSUPPORTED_SIDE_DATA, unsupported_side_data
from vdiff_jax.media.joined import warn_if_unread
from vdiff_jax.media.opacity import without_opaque_alpha
from vdiff_jax.media.planes import planes_of
from vdiff_jax.media.probe import (
    alpha_decoder,
    choose_stream,
    declared_duration,
    demuxed,
    describe,
    field_order,
    open_container,
    packets_of_a_frame,
)
from vdiff_jax.media.quantisers import EXPORT_QUANTISERS, QuantiserByType, frame_quantiser, mean_by_type, scale_of
from vdiff_jax.media.standard_input import release, standard_input, warn_of_tracks
from vdiff_jax.media.video import Seconds, VideoInfo, each_once
from vdiff_jax.pixels import Frame

logger = logging.getLogger(__name__)
# Seconds before the wanted time at which a seek aims: demuxers seek by decoding time, which runs ahead of display.
SEEK_MARGIN = Fraction(1)
# How many packets' headers are read to find the mean quantisers.
HEADER_PACKETS = 250
# How many frames are decoded on opening to find interlacing and side data, and the most bytes that they may take.
FIRST_FRAMES, FIRST_BYTES = 8, 64_000_000


class VideoSource:
    """A file's frames. The first ones are decoded on opening: only they give format, rotation and fields reliably.

    Args:
        name: a file, or `-` for stdin.
        start, stop: seconds from the beginning of the file; frames with start <= time < stop are read.
        deinterlace: make progressive pictures from interlaced fields.
        double_rate: one picture for each field, instead of one for each frame.
        at: the pts of the first frame to read; properties and times are those of the whole file.
        written: the frames are written to an output, so that a warning names what it loses.

    Raises:
        InputError: the file can't be read as a video, or has no frame in the wanted part.
    """

    def __init__(
        self,
        name: str,
        start: Seconds | None = None,
        stop: Seconds | None = None,
        *,
        deinterlace: bool = False,
        double_rate: bool = False,
        at: int | None = None,
        written: bool = False,
    ):
        self._written = written
        self._name = "stdin" if name == "-" else name
        self._file = standard_input() if name == "-" else name
        self._begin = Fraction(start or 0).limit_denominator(av.time_base)
        self._end = None if stop is None else Fraction(stop).limit_denominator(av.time_base)
        self._deinterlace, self._double_rate = deinterlace or double_rate, double_rate
        self._clock, self._order = clock_of(name), None
        self._open()
        if written and name == "-":
            warn_of_tracks(self._container)
        try:
            first = self._seek() if self._begin > 0 and name != "-" and not self._clock.jumps else None
            first = first or self._rewind()
            self._declared, self._certain = declared_duration(self._container, self._stream)
            if self._clock.jumps:  # the file declares at most the time to the first jump
                self._declared, self._certain = self._clock.ends[self._stream.index] - self._origin, True
            self._first = self._forward(first)
            self._ahead = self._look_ahead()
            frames, path = [self._first, *self._ahead], None if name == "-" else name
            self._packets = packets_of_a_frame(self._stream, frames)
            whole = without_opaque_alpha(describe(self._container, self._stream, frames, path=path))
            if self._clock.jumps:
                frames = self._clock.counts[self._stream.index]
                whole = dataclasses.replace(whole, duration=float(self._declared), frames=frames)
            if self._double_rate:
                frames = whole.frames and 2 * whole.frames
                whole = dataclasses.replace(whole, rate=2 * whole.rate, time_base=self._time_base, frames=frames)
            self.info = self._cut(whole)
            self._quantiser_by_type = self._mean_quantisers() if whole.codec == "hevc" and name != "-" else {}
            if at is not None:
                self._skip_to(at)
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        self._container = open_container(self._file, self._name)
        try:
            self._stream = choose_stream(self._container, self._name)
        except BaseException:
            self._container.close()
            raise
        exports = scale_of(self._stream.codec_context.name) is not None
        self._stream.codec_context.options = EXPORT_QUANTISERS if exports else {}
        # With a thread for each frame, quantisers are exported of pictures that another thread is still decoding.
        self._stream.thread_type = "SLICE" if exports else "AUTO"
        self._origin = self._clock.start(self._container)
        self._decoder = alpha_decoder(self._stream) or self._stream
        self._damage = Damage(self._container, self._stream, self._name, jumps=self._clock.jumps)
        frames, time_base = self._decode(), Fraction(self._stream.time_base)
        self._time_base = time_base / 2 if self._double_rate else time_base
        if self._deinterlace:
            bottom_first = self._first_fields() in BOTTOM_FIRST
            frames = deinterlaced(frames, time_base, bottom_first=bottom_first, double_rate=self._double_rate)
        self._decoded = frames

    def _first_fields(self) -> int:
        """FFmpeg's number of the order of fields. Where the header does not give it, the first frames do."""
        if self._stream.codec_context.field_order > 1 or not isinstance(self._file, str):
            return self._stream.codec_context.field_order
        with open_container(self._file, self._name) as container:
            stream = choose_stream(container, self._name)
            return field_order(stream, itertools.islice(container.decode(stream), FIRST_FRAMES))

    def _seek(self) -> av.VideoFrame | None:
        """The first frame decoded after seeking; None if there is none at or before the wanted time."""
        wanted = self._origin + self._begin
        try:
            self._container.seek(round((wanted - SEEK_MARGIN) / self._stream.time_base), stream=self._stream)
            first = next(self._decoded, None)
            if first is not None and first.pts is not None and first.pts * self._time_base <= wanted:
                return first
        except av.FFmpegError:
            logger.debug("%s does not support seeking: reading from its start", self._name)
        self.close()
        self._open()
        return None

    def _skip_to(self, pts: int) -> None:
        """Opens the file again at a frame. What was found at its beginning stays."""
        shift = round(self.info.start / self.info.time_base)
        self.close()
        self._open()
        self._begin = (pts + shift - Fraction(1, 2)) * self._time_base - self._origin
        self._first, self._ahead = self._forward(self._seek() or self._rewind()), []

    def _rewind(self) -> av.VideoFrame:
        if (first := next(self._decoded, None)) is None:
            raise InputError(f"{self._name} holds no frame that can be decoded: it is empty or damaged")
        return first

    def _forward(self, first: av.VideoFrame) -> av.VideoFrame:
        """The first frame of the wanted part. Damage before it is not reported."""
        if self._begin > 0:
            wanted = (frame for frame in itertools.chain([first], self._decoded) if self._time(frame) >= self._begin)
            found = next(wanted, None)
            self._damage.forget()
        else:
            found = first
        if found is None or (self._end is not None and self._time(found) >= self._end):
            lasts = "an unknown time" if self._declared is None else f"{float(self._declared):.3g} s"
            raise InputError(
                f"{self._name} has no frame in this part: the video lasts {lasts}, pass --from and --to within it"
            )
        return found

    def _look_ahead(self) -> list[av.VideoFrame]:
        """The frames after the first one that are decoded on opening."""
        size = sum(plane.buffer_size for plane in self._first.planes)
        return list(itertools.islice(self._decoded, min(FIRST_FRAMES, FIRST_BYTES // max(size, 1)) - 1))

    def _time(self, frame: av.VideoFrame) -> Fraction:
        """Seconds from the beginning of the file."""
        stamp = frame.pts if frame.pts is not None else frame.dts
        return Fraction(0) if stamp is None else stamp * self._time_base - self._origin

    def _cut(self, whole: VideoInfo) -> VideoInfo:
        """The properties of the part that is read. Its first frame has pts 0; a whole file keeps its own times."""
        if self._begin == 0 and self._end is None:
            return dataclasses.replace(whole, start=self._origin)
        begin = self._time(self._first) if self._begin > 0 else Fraction(0)
        end = min((end for end in (self._end, self._declared) if end is not None), default=None)
        frames = None if end is None else math.ceil(end * whole.rate) - math.ceil(begin * whole.rate)
        return dataclasses.replace(
            whole,
            start=self._origin + begin,
            stop=None if self._end is None else self._origin + self._end,
            duration=None if end is None else float(end - begin),
            frames=None if frames is None else max(frames, 1),
        )

    def _decode(self) -> Iterator[av.VideoFrame]:
        """All frames that can be decoded. Damaged packets are skipped and noted in `_damage`."""
        packets = map(self._damage.give, self._clock.packets(self._container, [self._stream]))
        ended, in_order, form = False, None, self._container.format.name
        if form in ("avi", "mxf"):
            in_order = self._order = DisplayOrder(numbered=form == "avi")
        while not ended:
            try:
                packet = next(packets, None)
            except av.FFmpegError:
                self._damage.errors, packet = True, None
            ended = packet is None
            if packet is not None and packet.size == 0:  # a repeated frame in AVI, or PyAV's end marker
                continue
            if in_order and packet is not None:
                in_order.note(packet)
            try:
                frames = map(self._damage.take, self._decoder.decode(packet))
            except (av.FFmpegError, EOFError):
                self._damage.errors = self._damage.errors or not ended
                continue
            yield from map(in_order, frames) if in_order else frames

    def frames(self) -> Iterator[Frame]:
        """The frames in order. Their pts strictly increase, as encoders require."""
        info = self.info
        shift = round(info.start / info.time_base)
        limit = None if info.stop is None else (info.stop - info.start) / info.time_base
        step = max(1, round(1 / (info.rate * info.time_base)))
        count, last, end, quantiser = 0, None, 0, None
        ahead, self._first, self._ahead = each_once([self._first, *self._ahead]), None, []
        seen, changes = set(info.unsupported_side_data), Changes(self._name)
        for decoded in itertools.chain(ahead, self._decoded):
            stamp = decoded.pts if decoded.pts is not None else decoded.dts
            pts = stamp - shift if stamp is not None else (0 if last is None else last + step)
            if limit is not None and pts >= limit:
                break
            pts = pts if last is None else max(pts, last + 1)
            count, last, end = count + 1, pts, pts + (decoded.duration or step)
            exported = self._quantiser_by_type.get(decoded.pict_type, frame_quantiser(decoded))
            quantiser = quantiser if exported is None else exported  # MPEG-2's decoder exports none for the last frame
            changes.note(decoded, self._stream.codec_context.sample_aspect_ratio)
            if self._written:
                self._warn_if_new(decoded, seen, pts * info.time_base)
            yield Frame(self._planes(decoded), pts, decoded.duration or None, quantiser)
        else:
            self._warn_if_short(count, info.start - self._origin + end * info.time_base)
            if self._name != "stdin":
                warn_if_unread(self._name, self._container, self._clock.unread_from)

    def _mean_quantisers(self) -> QuantiserByType:
        """The mean quantiser of each picture type where reading begins, for a decoder that does not export it."""
        with open_container(self._file, self._name) as container:
            stream = choose_stream(container, self._name)
            if self._begin > 0:
                container.seek(round((self._origin + self._begin) / stream.time_base), stream=stream)
            return mean_by_type(itertools.islice(demuxed(container, stream), HEADER_PACKETS), stream)

    def _planes(self, decoded: av.VideoFrame) -> tuple[np.ndarray, ...]:
        """A frame's planes, scaled to the first frame's size where the size changes, as FFmpeg's own tools do."""
        size = (self.info.width, self.info.height)
        if (decoded.width, decoded.height) != size:
            decoded = decoded.reformat(*size, format=self.info.pixels.name)
        return planes_of(decoded, self.info.pixels)

    def _warn_if_new(self, decoded: av.VideoFrame, seen: set[str], time: Fraction) -> None:
        """Warns of side data and interlacing that begin after the first frames, once; `seen` has what is known."""
        for name in set(unsupported_side_data([decoded])) - seen:
            logger.warning("from %.1f s on, %s has %s", time, self._name, UNSUPPORTED_SIDE_DATA[name])
            seen.add(name)
        if decoded.interlaced_frame and not self.info.interlaced and "fields" not in seen:
            logger.warning("from %.1f s on, %s is interlaced, but is treated as progressive", time, self._name)
            seen.add("fields")

    def _warn_if_short(self, count: int, end: Fraction) -> None:
        """Warns of damage, and of a file that ends earlier than its header says."""
        short, end = False, end + ((self._order and self._order.delay) or 0) * self._stream.time_base
        if self._declared is not None:
            frame = (2 if self._double_rate else 1) / self.info.rate
            exact = tolerance(self._container, frame, self._declared)
            short = end < self._declared - (exact if self._certain else max(2, 10 * exact))
        if self._begin == 0 and not self._deinterlace:
            short = short or count < declared_packets(self._container, self._stream) // self._packets
        self._damage.warn(count, self.info.frames, short=short)

    def close(self) -> None:
        """Closes the file. No thread may be decoding it."""
        self._container.close()
        release(self._file)
