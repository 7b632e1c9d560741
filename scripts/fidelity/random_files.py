"""Small files of random kinds, made by FFmpeg's own program: container, codecs, rate, layout, rotation, cuts."""

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import imageio_ffmpeg

CHOICES: dict[str, Sequence[Any]] = {
    "container": ("mkv", "mp4", "mov", "ts", "avi", "mpg", "webm", "flv"),
    "video": ("libx264", "libx265", "mpeg2video", "mpeg4", "libvpx-vp9", "libsvtav1", "ffv1", "prores_ks"),
    "audio": (None, "aac", "libmp3lame", "ac3", "libopus", "flac", "pcm_s16le", "mp2", "libvorbis", "alac"),
    "rate": ("25", "24", "30000/1001", "50", "15", "vfr"),
    "size": ("64x48", "66x50", "128x72"),
    "form": ("yuv420p", "yuv420p", "yuv422p", "yuv444p", "yuv420p10le"),
    "layout": ("mono", "stereo", "3.0", "quad", "5.1", "5.1(side)", "6.1", "7.1"),
    "subtitles": (False, True),
    "chapters": (False, True),
    "rotation": (0, 90, 180, 270),
    "range": (None, "tv", "pc"),
    "colours": (None, "bt709", "smpte170m", "bt2020"),
    "aspect": ("1", "4/3"),
    "interlaced": (False, False, True),
    "start": (0, 0, 3.7, 3600),
    "cut": (0, 0, 0.5),
}
"""The values of each property. `consistent` replaces those that do not go together."""
_VIDEO_IN = {
    "mp4": ("libx264", "libx265", "mpeg4", "libsvtav1", "libvpx-vp9", "mpeg2video"),
    "mov": ("libx264", "libx265", "prores_ks", "mpeg4"),
    "ts": ("libx264", "libx265", "mpeg2video"),
    "avi": ("mpeg4", "ffv1", "libx264"),
    "mpg": ("mpeg2video",),
    "webm": ("libvpx-vp9", "libsvtav1"),
    "flv": ("libx264",),
}
_AUDIO_IN = {
    "mp4": ("aac", "libmp3lame", "ac3", "flac", "alac", "libopus"),
    "mov": ("aac", "pcm_s16le", "alac"),
    "ts": ("aac", "mp2", "ac3"),
    "avi": ("libmp3lame", "pcm_s16le", "ac3"),
    "mpg": ("mp2", "ac3"),
    "webm": ("libopus", "libvorbis"),
    "flv": ("aac", "libmp3lame"),
}
_FORMS_OF = {
    "mpeg2video": ("yuv420p", "yuv422p"),
    "mpeg4": ("yuv420p",),
    "libsvtav1": ("yuv420p", "yuv420p10le"),
    "prores_ks": ("yuv422p10le",),
}
_LAYOUTS_OF = {
    "libmp3lame": ("mono", "stereo"),
    "mp2": ("mono", "stereo"),
    "ac3": ("mono", "stereo", "3.0", "quad", "5.1", "5.1(side)"),
    "alac": ("mono", "stereo", "3.0", "5.1"),
    "libvorbis": ("mono", "stereo", "quad", "5.1"),
    "libopus": ("mono", "stereo", "3.0", "quad", "5.1", "7.1"),
    "aac": ("mono", "stereo", "3.0", "quad", "5.1", "7.1"),
    "flac": ("mono", "stereo", "3.0", "quad", "5.1", "6.1", "7.1"),
}
_SUBTITLES_IN = {"mkv": "srt", "mp4": "mov_text", "mov": "mov_text", "webm": "webvtt"}
_FIXED_RATE = frozenset({"mpeg2video", "mpeg4"})
_SECONDS = 1.2

Recipe = dict[str, Any]
"""A value of each property in `CHOICES`."""


def consistent(recipe: Recipe) -> Recipe:
    """The recipe with values that its container and codecs can hold."""
    recipe = dict(recipe)
    container = recipe["container"]
    _limit(recipe, "video", _VIDEO_IN.get(container))
    if recipe["audio"] is not None:
        _limit(recipe, "audio", _AUDIO_IN.get(container))
    _limit(recipe, "form", _FORMS_OF.get(recipe["video"]))
    _limit(recipe, "layout", _LAYOUTS_OF.get(recipe["audio"]))
    if container in ("ts", "flv") and recipe["audio"] == "aac":
        _limit(recipe, "layout", ("mono", "stereo", "5.1"))
    if recipe["video"] in _FIXED_RATE or container in ("avi", "mpg", "flv"):
        _limit(recipe, "rate", ("25", "30000/1001", "50"))
    if recipe["video"] not in ("libx264", "mpeg2video") or recipe["size"] == "66x50" or "10" in recipe["form"]:
        recipe["interlaced"] = False
    if container not in ("mp4", "mov", "mkv"):
        recipe["rotation"] = 0
    if container in ("mp4", "mov") and recipe["start"]:
        recipe["subtitles"] = False  # FFmpeg's program does not delay them
    recipe["subtitles"] = recipe["subtitles"] and container in _SUBTITLES_IN
    recipe["chapters"] = recipe["chapters"] and not recipe["start"] and container in ("mkv", "mp4", "mov", "webm")
    if container in ("avi", "flv", "mpg"):  # FFmpeg's program cuts and delays these inexactly
        recipe |= {"start": 0, "cut": 0}
    return recipe


def _limit(recipe: Recipe, name: str, allowed: Sequence[Any] | None) -> None:
    if allowed is not None and recipe[name] not in allowed:
        recipe[name] = allowed[list(CHOICES[name]).index(recipe[name]) % len(allowed)]


def random_files(count: int, seed: int, folder: Path) -> Iterator[Path]:
    """Files in a folder, each made when it is asked for. Their names begin with the seed and their number."""
    for number in range(count):
        draw = Random(f"{seed} {number}")
        recipe = consistent({name: draw.choice(values) for name, values in CHOICES.items()})
        yield make_file(recipe, folder, f"{seed}_{number}")


def make_file(recipe: Recipe, folder: Path, name: str) -> Path:
    """Encodes a test pattern with sound, then cuts, rotates and delays it by copying packets."""
    plain, path = folder / f"{name}.plain.{recipe['container']}", folder / f"{name}.{recipe['container']}"
    subtitles, chapters = folder / f"{name}.srt", folder / f"{name}.txt"
    subtitles.write_text("1\n00:00:00,100 --> 00:00:00,400\nfirst\n\n2\n00:00:00,450 --> 00:00:00,900\nsecond\n\n")
    chapters.write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=600\ntitle=one\n")
    _ffmpeg(*_sources(recipe, subtitles, chapters), *_encoders(recipe), plain)
    matrix = ["-display_rotation", recipe["rotation"]] if recipe["rotation"] else []
    seek = ["-ss", recipe["cut"]] if recipe["cut"] else []
    moved = ["-output_ts_offset", recipe["start"]] if recipe["start"] else []
    muxer = ["-muxdelay", "0"] if recipe["container"] in ("ts", "mpg") else []
    if matrix or seek or moved:
        _ffmpeg(
            *matrix,
            *seek,
            "-i",
            plain,
            "-map",
            "0:v",
            "-map",
            "0:a?",
            "-map",
            "0:s?",
            "-c",
            "copy",
            *moved,
            *muxer,
            path,
        )
        plain.unlink()
    else:
        plain.replace(path)
    subtitles.unlink()
    chapters.unlink()
    return path


def _ffmpeg(*arguments: object) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-nostdin", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[5:])}: {done.stderr}")


def _sources(recipe: Recipe, subtitles: Path, chapters: Path) -> list[object]:
    rate = "25" if recipe["rate"] == "vfr" else recipe["rate"]
    pattern = f"testsrc2=size={recipe['size']}:rate={rate}:duration={_SECONDS}"
    if recipe["rate"] == "vfr":
        pattern += ",select='not(eq(mod(n,5),3))*not(eq(mod(n,7),4))'"
    pattern += f",setsar={recipe['aspect']}"
    if recipe["interlaced"]:
        pattern += ",setfield=tff"
    pattern += f",format={recipe['form']}{_tags(recipe)}"
    arguments: list[object] = ["-f", "lavfi", "-i", pattern]
    if recipe["audio"] is not None:
        tones = f"sine=frequency=440:duration={_SECONDS}:sample_rate=48000"
        arguments += ["-f", "lavfi", "-i", f"{tones},pan={recipe['layout']}|{_gains(recipe['layout'])}"]
    if recipe["subtitles"]:
        arguments += ["-i", subtitles]
    if recipe["chapters"]:
        arguments += ["-f", "ffmetadata", "-i", chapters]
    return arguments


def _tags(recipe: Recipe) -> str:
    """The filter that sets the tags of colour."""
    colours, tags = recipe["colours"], []
    if recipe["range"]:
        tags.append(f"range={recipe['range']}")
    if colours:
        transfer, matrix = ("bt2020-10", "bt2020nc") if colours == "bt2020" else (colours, colours)
        tags.append(f"color_primaries={colours}:color_trc={transfer}:colorspace={matrix}")
    return f",setparams={':'.join(tags)}" if tags else ""


def _gains(layout: str) -> str:
    """The tone at another loudness in each channel."""
    counts = {"mono": 1, "stereo": 2, "3.0": 3, "quad": 4, "5.1": 6, "5.1(side)": 6, "6.1": 7, "7.1": 8}
    return "|".join(f"c{channel}={1 - 0.1 * channel:.1f}*c0" for channel in range(counts[layout]))


def _encoders(recipe: Recipe) -> list[object]:
    video, inputs = recipe["video"], 1 + (recipe["audio"] is not None) + recipe["subtitles"]
    arguments: list[object] = [part for n in range(inputs) for part in ("-map", n)]
    if recipe["chapters"]:
        arguments += ["-map_chapters", inputs]
    arguments += ["-c:v", video, "-pix_fmt", recipe["form"], "-g", 10, "-fps_mode", "passthrough"]
    arguments += {
        "libx264": ["-preset", "ultrafast", "-bf", 2],
        "libx265": ["-preset", "ultrafast", "-x265-params", "log-level=none"],
        "libsvtav1": ["-preset", 12],
        "libvpx-vp9": ["-deadline", "realtime", "-cpu-used", 8],
        "mpeg2video": ["-b:v", "4M", "-bf", 2],
        "mpeg4": ["-b:v", "4M"],
    }.get(video, [])
    if recipe["interlaced"]:
        arguments += ["-flags", "+ilme+ildct"]
    if recipe["audio"] is not None:
        arguments += ["-c:a", recipe["audio"], "-strict", "-2"]
    if recipe["subtitles"]:
        arguments += ["-c:s", _SUBTITLES_IN[recipe["container"]]]
    return arguments
