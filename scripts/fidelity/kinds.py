"""Small files of every kind that users bring, made by FFmpeg's own program, each with flashes and beeps at one time."""

import functools
import subprocess
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import imageio_ffmpeg

from fidelity import bit_streams, field_pictures

FLASHES = (0.4, 1.2)
"""Seconds at which a white frame and a beep begin. A frame's time may be up to half a frame later."""
SECONDS = 1.6
_H264 = "-c:v libx264 -preset ultrafast -bf 2 -g 12"
_X264 = f"{_H264} -c:a aac"
_VP9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8"
_HEVC = "-c:v libx265 -preset ultrafast -x265-params log-level=none"
_HDR10 = (
    ":hdr10=1:repeat-headers=1:max-cll=1000,400:"
    "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
)
_HDR = "format=yuv420p10le,setparams=color_primaries=bt2020:color_trc={}:colorspace=bt2020nc:range=tv"
_GLASS = "format=rgba,colorchannelmixer=aa=0.5"
_TRACKS = "-map 0 -map 1 -map 1 -metadata:s:a:0 language=deu -metadata:s:a:1 language=fra -metadata:s:a:1 title=Two"
_TEXT = "-i {f}/s.srt -map 0 -map 1 -map 2 -c:s"
_BARS = "-i {f}/bars.sup -map 0 -map 1 -map 2 -c:s"
_LABELS = "-f ffmetadata -i {f}/m.txt -map 0 -map 1 -map_metadata 2 -map_chapters 2"


class Kind(NamedTuple):
    """How a file is made.

    Attributes:
      ending: of its name.
      encode: FFmpeg's options for the output, after the inputs picture (0) and sound (1). `{f}` is the folder.
      picture: filters of the picture.
      size, rate: of the picture.
      sound: filters of the sound; None for a silent file.
      copy: FFmpeg's options before and after the input where the file is copied into another.
      raw: the ending of a raw stream that is encoded first; `encode` then says how it is put into the file.
      change: what is done with the bytes of the raw stream, or of the file.
    """

    ending: str
    encode: str = _X264
    picture: str = "null"
    size: str = "64x48"
    rate: str = "25"
    sound: str | None = "anull"
    copy: tuple[str, str] | None = None
    raw: tuple[str, str] | None = None
    change: Callable[[bytes], bytes] | None = None


def _twice(data: bytes) -> bytes:
    return 2 * data


def _field_coded(data: bytes) -> bytes:
    return field_pictures.field_coded()


def _truncated(data: bytes) -> bytes:
    return data[: int(0.7 * len(data))]


_VFR = "select='not(eq(mod(n,5),3))*not(eq(mod(n,7),4))'"
TIMES: dict[str, Kind] = {
    "vfr": Kind("mkv", f"{_X264} -fps_mode vfr", _VFR),
    "vfr_iso": Kind("mp4", f"{_X264} -fps_mode vfr", _VFR),
    "vfr_fast": Kind("mp4", f"{_X264} -fps_mode vfr", "select='lt(t,0.5)+not(mod(n,4))'", rate="120"),
    "late": Kind("ts", copy=("", "-output_ts_offset 3600")),
    "late_mkv": Kind("mkv", copy=("", "-output_ts_offset 5.3")),
    "late_iso": Kind("mp4", copy=("", "-output_ts_offset 2.5")),
    "wrap": Kind("ts", copy=("", "-output_ts_offset 95442.5")),
    "joined": Kind("ts", change=_twice),
    "joined_mpg": Kind("mpg", "-c:v mpeg2video -b:v 1M -bf 2 -c:a mp2", change=_twice),
    "joined_mkv": Kind("mkv", change=_twice),
    "cut_mp4": Kind("mp4", copy=("-ss 0.3", "")),
    "cut_mov": Kind("mov", copy=("-ss 0.3", "")),
    "cut_mkv": Kind("mkv", copy=("-ss 0.3", "")),
    "cut_hevc": Kind("mkv", f"{_HEVC}:keyint=10:open-gop=1 -c:a aac", copy=("-ss 0.9", "")),
    "open_gop": Kind("mp4", f"{_X264} -x264-params open-gop=1:keyint=10:bframes=3", copy=("-ss 0.7", "")),
    "picture_late": Kind("mp4", f"{_X264} -fps_mode passthrough", "trim=start=0.2"),
    "picture_late_mkv": Kind("mkv", f"{_X264} -fps_mode passthrough", "trim=start=0.2"),
    "picture_late_ts": Kind("ts", f"{_X264} -fps_mode passthrough", "trim=start=0.2"),
    "sound_late": Kind("mp4", sound="atrim=start=0.3"),
    "sound_late_mkv": Kind("mkv", sound="atrim=start=0.3"),
    "sound_short": Kind("mp4", sound="atrim=end=0.8"),
    "sound_long": Kind("mkv", sound="apad=pad_dur=1"),
    "fragments": Kind("mp4", f"{_X264} -movflags frag_keyframe+empty_moov+default_base_moof"),
    "live": Kind("mkv", f"{_X264} -live 1"),
    "truncated_mp4": Kind("mp4", f"{_X264} -movflags faststart", change=_truncated),
    "truncated_mkv": Kind("mkv", change=_truncated),
    "truncated_ts": Kind("ts", change=_truncated),
    "one_frame": Kind("mp4", f"{_X264} -frames:v 1", sound=None),
    "one_frame_mkv": Kind("mkv", f"{_X264} -frames:v 1"),
    "two_frames": Kind("mov", f"{_X264} -frames:v 2", sound=None),
    "fps240": Kind("mp4", rate="240"),
    "fps5": Kind("mkv", rate="5"),
    "fps1001": Kind("mov", rate="30000/1001"),
    "timecode": Kind("mov", f"{_X264} -timecode 01:02:03:04"),
    "timecode_drop": Kind("mp4", f"{_X264} -timecode 00:01:00;02", rate="30000/1001"),
    "telecine": Kind(
        "mpg",
        "-c:v copy -c:a mp2",
        "setpts=N*1001/30000/TB",
        size="64x64",
        rate="24000/1001",
        raw=("m2v", "-c:v mpeg2video -b:v 1M -r 30000/1001"),
        change=bit_streams.telecined,
    ),
}
CODECS: dict[str, Kind] = {
    "xvid": Kind("avi", "-c:v libxvid -bf 2 -q:v 4 -c:a libmp3lame"),
    "packed": Kind("avi", "-c:v mpeg4 -bf 1 -q:v 4 -c:a libmp3lame", change=bit_streams.packed_b_frames),
    "h264_avi": Kind("avi", f"{_H264} -c:a pcm_s16le"),
    "wmv": Kind("wmv", "-c:v wmv2 -b:v 500k -c:a wmav2"),
    "flv": Kind("flv", f"{_H264} -c:a aac -ar 44100"),
    "ogv": Kind("ogv", "-c:v libtheora -q:v 6 -c:a libvorbis"),
    "3gp": Kind("3gp", "-c:v mpeg4 -q:v 4 -c:a aac"),
    "mxf": Kind("mxf", "-c:v mpeg2video -b:v 4M -c:a pcm_s16le", size="128x96"),
    "dv": Kind("avi", "-c:v dvvideo -c:a pcm_s16le", "format=yuv420p", size="720x576"),
    "mjpeg": Kind("avi", "-c:v mjpeg -q:v 3 -c:a pcm_s16le", "scale=out_range=pc,format=yuvj420p"),
    "mpeg1": Kind("mpg", "-c:v mpeg1video -b:v 1M -bf 2 -c:a mp2"),
    "opus_mkv": Kind("mkv", f"{_H264} -c:a libopus"),
    "opus_webm": Kind("webm", f"{_VP9} -c:a libopus"),
    "opus_mp4": Kind("mp4", f"{_H264} -c:a libopus"),
    "mp3_mp4": Kind("mp4", f"{_H264} -c:a libmp3lame"),
    "pcm24": Kind("mov", f"{_H264} -c:a pcm_s24le"),
    "truehd": Kind("mkv", f"{_H264} -c:a truehd -strict -2"),
    "dts": Kind("mkv", f"{_H264} -c:a dca -strict -2"),
    "eac3": Kind("ts", f"{_H264} -c:a eac3"),
    "adpcm": Kind("avi", "-c:v mpeg4 -q:v 4 -c:a adpcm_ms"),
    "av1": Kind("mp4", "-c:v libsvtav1 -preset 12 -c:a aac", size="64x64"),
    "prores": Kind("mov", "-c:v prores_ks -c:a pcm_s16le"),
}
_INTERLACED = "-flags +ilme+ildct"
_FIELDS = "-c:v copy -bsf:v setts=pts=N/50/TB:dts=N/50/TB:duration=1/50/TB -c:a aac"
PICTURES: dict[str, Kind] = {
    "tff": Kind("mkv", f"{_X264} {_INTERLACED} -x264-params tff=1", "setfield=tff", size="64x64"),
    "bff_mpg": Kind("mpg", f"-c:v mpeg2video -b:v 2M {_INTERLACED} -c:a mp2", "setfield=bff"),
    "field_coded": Kind("ts", _FIELDS, size="64x64", raw=("h264", _H264), change=_field_coded),
    "field_coded_mp4": Kind("mp4", _FIELDS, size="64x64", raw=("h264", _H264), change=_field_coded),
    "field_coded_mkv": Kind("mkv", _FIELDS, size="64x64", raw=("h264", _H264), change=_field_coded),
    "rotated": Kind("mp4", copy=("-display_rotation 90", "")),
    "rotated_mkv": Kind("mkv", copy=("-display_rotation 180", "")),
    "mirrored": Kind("mov", copy=("-display_rotation 0 -display_hflip", "")),
    "anamorphic": Kind("mp4", picture="setsar=64/45"),
    "anamorphic_mpg": Kind("mpg", "-c:v mpeg2video -b:v 2M -c:a mp2", "setdar=16/9"),
    "full_range": Kind("mp4", picture="scale=out_range=pc,format=yuvj420p"),
    "hdr10": Kind("mkv", f"{_HEVC}{_HDR10} -c:a aac", _HDR.format("smpte2084")),
    "hlg": Kind("mp4", f"{_HEVC} -tag:v hvc1 -c:a aac", _HDR.format("arib-std-b67")),
    "hdr10plus": Kind(
        "mkv",
        "-c:v copy -c:a aac",
        _HDR.format("smpte2084"),
        raw=("hevc", f"{_HEVC}{_HDR10}:bframes=0"),
        change=bit_streams.hdr10_plus,
    ),
    "dolby_vision": Kind(
        "mkv",
        "-c:v copy -c:a aac",
        _HDR.format("smpte2084"),
        raw=("hevc", f"{_HEVC}:bframes=0"),
        change=bit_streams.dolby_vision,
    ),
    "captions": Kind("mp4", "-c:v copy -c:a aac", raw=("h264", f"{_H264} -bf 0"), change=bit_streams.captioned),
    "captions_mpg": Kind(
        "mpg", "-c:v copy -c:a mp2", raw=("m2v", "-c:v mpeg2video -b:v 1M"), change=bit_streams.captioned_mpeg2
    ),
    "alpha_vp9": Kind("webm", f"{_VP9} -auto-alt-ref 0 -c:a libopus", f"{_GLASS},format=yuva420p"),
    "alpha_prores": Kind("mov", "-c:v prores_ks -profile:v 4444 -c:a pcm_s16le", f"{_GLASS},format=yuva444p10le"),
    "alpha_qtrle": Kind("mov", "-c:v qtrle -c:a aac", f"{_GLASS},format=argb"),
    "opaque_vp9": Kind("webm", f"{_VP9} -auto-alt-ref 0 -c:a libopus", "format=yuva420p"),
    "opaque_prores": Kind("mov", "-c:v prores_ks -profile:v 4444 -c:a pcm_s16le", "format=yuva444p10le"),
    "gif": Kind("gif", "", "split[a][b];[a]palettegen[p];[b][p]paletteuse", rate="20", sound=None),
    "apng": Kind("apng", "-plays 0", sound=None),
    "odd": Kind("mkv", "-c:v ffv1 -c:a flac", size="63x47"),
    "narrow": Kind("mkv", "-c:v ffv1 -c:a flac", "scale=64:1"),
    "ten_bit": Kind("mkv", picture="format=yuv420p10le"),
    "twelve_bit": Kind("mkv", "-c:v ffv1 -c:a flac", "format=yuv422p12le"),
    "full_chroma": Kind("mp4", picture="format=yuv444p"),
    "rgb": Kind("mkv", "-c:v libx264rgb -preset ultrafast -c:a aac", "format=rgb24"),
    "grey": Kind("mkv", "-c:v ffv1 -c:a flac", "format=gray"),
    "grey10": Kind("mkv", "-c:v ffv1 -c:a flac", "format=gray10le"),
}
STREAMS: dict[str, Kind] = {
    "audio_tracks": Kind("mkv", f"{_TRACKS} {_X264} -disposition:a:1 comment"),
    "audio_tracks_mp4": Kind("mp4", f"{_TRACKS} {_X264}"),
    "video_tracks": Kind("mkv", f"-map 0 -map 0 -map 1 {_X264}"),
    "srt": Kind("mkv", f"{_TEXT} srt {_X264} -metadata:s:s:0 language=deu -disposition:s:0 forced"),
    "ass": Kind("mkv", f"{_TEXT} ass {_X264}"),
    "mov_text": Kind("mp4", f"{_TEXT} mov_text {_X264} -metadata:s:s:0 language=deu"),
    "webvtt": Kind("webm", f"{_TEXT} webvtt {_VP9} -c:a libopus"),
    "pgs": Kind("mkv", f"{_BARS} copy {_X264}"),
    "dvdsub": Kind("mkv", f"{_BARS} dvdsub {_X264}"),
    "dvbsub": Kind("ts", f"{_BARS} dvbsub {_X264}"),
    "cover": Kind("mp4", f"-i {{f}}/c.png -map 0 -map 1 -map 2 {_X264} -c:v:1 png -disposition:v:1 attached_pic"),
    "cover_mkv": Kind(
        "mkv", f"{_X264} -attach {{f}}/c.png -metadata:s:t mimetype=image/png -metadata:s:t filename=cover.png"
    ),
    "chapters": Kind("mp4", f"{_LABELS} {_X264}"),
    "chapters_mkv": Kind("mkv", f"{_LABELS} {_X264}"),
    "font": Kind("mkv", f"{_X264} -attach {{f}}/font.ttf -metadata:s:t mimetype=font/ttf"),
    "quad": Kind("mkv", f"{_H264} -c:a flac", sound="pan=quad|c0=c0|c1=c0|c2=0.5*c0|c3=0.5*c0"),
    "twelve_channels": Kind("mkv", f"{_H264} -c:a pcm_s16le", sound="pan=12c|c0=c0|c1=c0|c11=c0"),
    "surround": Kind("mp4", sound="pan=5.1|c0=c0|c1=c0|c2=c0|c3=0*c0|c4=0.5*c0|c5=0.5*c0"),
    "tags": Kind("mp4", f"{_X264} -metadata title=Film -metadata artist=Anna -metadata comment=mine"),
    "phone": Kind("mov", f"{_X264} -movflags use_metadata_tags -metadata com.apple.quicktime.make=Maker"),
    "klv": Kind("ts", f"-f data -i {{f}}/s.srt -map 0 -map 1 -map 2 -c:d copy {_X264}"),
}
KINDS = TIMES | CODECS | PICTURES | STREAMS
"""All kinds by name."""


def files_of_kinds(names: Sequence[str], folder: Path) -> Iterator[Path]:
    """Files of these kinds in a folder, each made when it is asked for; of all kinds if there is no name."""
    for name in names or KINDS:
        yield make_kind(name, folder)


def make_kind(name: str, folder: Path) -> Path:
    """Writes a file of the kind `name` into a folder."""
    kind = KINDS[name]
    _write_inputs(folder)
    path = folder / f"{name}.{kind.ending}"
    plain = folder / f"{name}.plain.{kind.ending}" if kind.copy else path
    picture, sound = _sources(kind)
    filters = ["-vf", kind.picture] if kind.picture else []
    filters += ["-af", kind.sound] if kind.sound else []
    if kind.raw is not None:
        ending, options = kind.raw
        raw = folder / f"{name}.{ending}"
        _ffmpeg(*picture, "-vf", kind.picture, *options.split(), raw)
        if kind.change is not None:
            raw.write_bytes(kind.change(raw.read_bytes()))
        picture, filters = ["-fflags", "+genpts", "-i", raw], []
    _ffmpeg(*picture, *sound, *kind.encode.format(f=folder).split(), *filters, plain)
    if kind.change is not None and kind.raw is None:
        plain.write_bytes(kind.change(plain.read_bytes()))
    if kind.copy is not None:
        before, after = (text.split() for text in kind.copy)
        _ffmpeg(*before, "-i", plain, "-map", "0", "-c", "copy", *after, path)
    return path


def _sources(kind: Kind) -> tuple[list[str], list[str]]:
    """FFmpeg's inputs: the picture, and the sound if there is any."""
    on = "+".join(f"between(t,{flash - 0.001},{flash + 0.03})" for flash in FLASHES)
    # The picture scrolls, because interpolation gives repeated frames other times.
    pattern = f"testsrc2=size={kind.size}:rate={kind.rate}:duration={SECONDS}"
    flash = f"drawbox=color=white:thickness=fill:enable='{on}'"
    picture = ["-f", "lavfi", "-i", f"{pattern},scroll=horizontal=1/32,{flash}"]
    if kind.sound is None:
        return picture, []
    beeps = "+".join(f"between(t,{flash},{flash + 0.05})" for flash in FLASHES)
    wave = f"aevalsrc='0.5*sin(2*PI*1000*t)*({beeps})':s=48000:d={SECONDS}"
    return picture, ["-f", "lavfi", "-i", wave]


@functools.cache
def _write_inputs(folder: Path) -> None:
    """Writes the further inputs of all kinds."""
    (folder / "s.srt").write_text("1\n00:00:00,100 --> 00:00:00,400\none\n\n2\n00:00:00,600 --> 00:00:01,200\ntwo\n\n")
    (folder / "m.txt").write_text(
        ";FFMETADATA1\ntitle=Film\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=600\ntitle=one\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=600\nEND=1500\ntitle=two\n"
    )
    (folder / "bars.sup").write_bytes(bit_streams.picture_subtitles())
    (folder / "font.ttf").write_bytes(b"\x00\x01\x00\x00" + zlib.crc32(b"font").to_bytes(4, "big") * 20)
    _ffmpeg("-f", "lavfi", "-i", "color=red:size=32x32", "-frames:v", "1", folder / "c.png")


def _ffmpeg(*arguments: object) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-nostdin", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[5:])}: {done.stderr}")
