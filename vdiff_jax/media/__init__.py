"""Reads and writes video and pictures. Only this package imports PyAV and imageio."""

from vdiff_jax.media import loudness
from vdiff_jax.media.attachments import (
    expected_bytes,
    frame_times,
    key_frame_marks,
    packet_sizes,
    read_attachment,
    remux,
    video_bytes,
)
from vdiff_jax.media.encoders import check_encoder
from vdiff_jax.media.fingerprint import fingerprint
from vdiff_jax.media.further_tracks import further_tracks
from vdiff_jax.media.hardware import HARDWARE, hardware_encoder
from vdiff_jax.media.mask import MovingMask, mask_union, read_mask
from vdiff_jax.media.pace import rates_in_time
from vdiff_jax.media.pictures import picture_of, read_picture, write_picture
from vdiff_jax.media.probe import declared_frames
from vdiff_jax.media.read import VideoReader, open_reader, probe, seekable
from vdiff_jax.media.references import check_reference, read_references, reference_path
from vdiff_jax.media.single_file import check_file, check_report, write_bytes, write_text
from vdiff_jax.media.sources import is_picture, is_video_name, list_pictures, list_videos, natural_key
from vdiff_jax.media.target import (
    check_target,
    copy_file,
    is_folder_target,
    result_names,
)
from vdiff_jax.media.video import ColourTags, VideoInfo
from vdiff_jax.media.vmaf import Vmaf
from vdiff_jax.media.write import VideoWriter, encode_segment, open_writer
from vdiff_jax.pixels import Frame, PixelFormat

__all__ = [
    "HARDWARE",
    "ColourTags",
    "Frame",
    "MovingMask",
    "PixelFormat",
    "VideoInfo",
    "VideoReader",
    "VideoWriter",
    "Vmaf",
    "check_encoder",
    "check_file",
    "check_reference",
    "check_report",
    "check_target",
    "copy_file",
    "declared_frames",
    "encode_segment",
    "expected_bytes",
    "fingerprint",
    "frame_times",
    "further_tracks",
    "hardware_encoder",
    "is_folder_target",
    "is_picture",
    "is_video_name",
    "key_frame_marks",
    "list_pictures",
    "list_videos",
    "loudness",
    "mask_union",
    "natural_key",
    "open_reader",
    "open_writer",
    "packet_sizes",
    "picture_of",
    "probe",
    "rates_in_time",
    "read_attachment",
    "read_mask",
    "read_picture",
    "read_references",
    "reference_path",
    "remux",
    "result_names",
    "seekable",
    "video_bytes",
    "write_bytes",
    "write_picture",
    "write_text",
]
