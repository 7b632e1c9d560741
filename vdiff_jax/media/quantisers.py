"""The quantiser of each frame, read from a coded stream: how coarsely the frame was coded, on its codec's own scale.

H.264: QP, 0 to 51. HEVC: the slices' QP, 0 to 51. VP9: the base index, 0 to 255. MPEG-1, 2 and 4: the quantiser scale,
2 to 62 (twice the code of 1 to 31). The step size doubles every 6 QP; in MPEG it is proportional to the scale.
"""

import re
import threading
from collections.abc import Iterable

import av
import numpy as np

SCALES = {
    **dict.fromkeys(("h264", "hevc", "vp9"), None),
    "mpeg1video": "mpeg2video",
    "mpeg2video": None,
    "mpeg4": "mpeg2video",
}
"""The codecs whose quantisers can be read. A codec that uses another's scale names that codec."""
EXPORT_QUANTISERS = {"export_side_data": "venc_params"}
"""The decoder option that exports quantisers as side data."""
_PictureType = av.video.frame.PictureType
QuantiserByType = dict[int, float]
"""A quantiser for each picture type, by FFmpeg's number of the type."""
# FFmpeg's picture types by HEVC's slice types.
_TYPE_OF_SLICE = {2: _PictureType.I, 1: _PictureType.P, 0: _PictureType.B}
_FIELD = re.compile(r"(init_qp_minus26|slice_type|slice_qp_delta)\s+[01]+ = (-?\d+)")
_log_level = threading.Lock()


def scale_of(codec: str) -> str | None:
    """The codec whose scale a codec's quantisers use; None if they can't be read."""
    return (SCALES[codec] or codec) if codec in SCALES else None


def frame_quantiser(frame: av.VideoFrame) -> float | None:
    """The mean quantiser of a frame's blocks; None if the decoder did not export them."""
    parameters = frame.side_data.get(av.sidedata.sidedata.Type.VIDEO_ENC_PARAMS)
    if parameters is None:
        return None
    if not parameters.nb_blocks:
        return float(parameters.qp)
    words = parameters.block_size // 4
    blocks = np.frombuffer(parameters, np.int32, parameters.nb_blocks * words, offset=parameters.blocks_offset)
    return float(parameters.qp + blocks.reshape(-1, words)[:, 4].mean())


def slice_quantisers(packets: Iterable[av.Packet], stream: av.VideoStream | str) -> dict[int, tuple[int, float]]:
    """Picture type and QP of each HEVC packet's first slice, by pts. The packets are empty afterwards.

    FFmpeg's HEVC decoder does not export quantisers. Its bit stream filter `trace_headers` writes the fields of each
    header to the log; they are read from there.
    """
    found: dict[int, tuple[int, float]] = {}
    initial = 26
    with _log_level, av.logging.Capture() as lines:
        before = av.logging.get_level()
        av.logging.set_level(av.logging.INFO)
        try:
            tracer = av.BitStreamFilterContext("trace_headers", stream)
            for packet in packets:
                pts = packet.pts
                if not packet.size or pts is None:
                    continue
                tracer.filter(packet)  # this empties the packet
                fields = [(m[1], int(m[2])) for _, _, line in lines if (m := _FIELD.search(line))]
                lines.clear()
                initial = next((26 + value for name, value in fields if name == "init_qp_minus26"), initial)
                slice_type = next((value for name, value in fields if name == "slice_type"), None)
                delta = next((value for name, value in fields if name == "slice_qp_delta"), None)
                if slice_type is not None and delta is not None:
                    found[pts] = (_TYPE_OF_SLICE[slice_type], float(initial + delta))
        finally:
            av.logging.set_level(before)
    return found


def mean_by_type(packets: Iterable[av.Packet], stream: av.VideoStream) -> QuantiserByType:
    """The mean QP of HEVC's I, P and B frames, by picture type; empty if the headers can't be read."""
    try:
        found = slice_quantisers(packets, stream).values()
    except av.FFmpegError:
        return {}
    return {picture: float(np.mean([qp for other, qp in found if other == picture])) for picture, _ in found}
