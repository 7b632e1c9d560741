"""What a file holds beside its picture and its first sound: what a command that makes a new film of it loses."""

from collections.abc import Mapping

from vdiff_jax.media.copies import fresh_metadata
from vdiff_jax.media.probe import open_container

_STEREO = 2


def further_tracks(path: str, *, stereo: bool = False) -> list[str]:
    """What a file holds beside its picture and its first sound, in words: "2 subtitle tracks", "the tags title".

    Args:
        path: the file.
        stereo: the first sound becomes stereo, so that its further channels are lost, too.

    Raises:
        InputError: the file can't be opened.
    """
    with open_container(path, path) as container:
        kinds = [stream.type for stream in container.streams]
        counts = {
            "further video track": kinds.count("video") - 1,
            "further audio track": kinds.count("audio") - 1,
            "subtitle track": kinds.count("subtitle"),
            "data track": kinds.count("data"),
            "attachment": kinds.count("attachment"),
        }
        named = [f"{count} {name}{'s' if count > 1 else ''}" for name, count in counts.items() if count > 0]
        named += ["the chapters"] if container.chapters() else []
        sounds = [stream.codec_context for stream in container.streams.audio[:1] if stream.codec_context is not None]
        named += [f"the channels {sound.layout.name}" for sound in sounds if stereo and sound.channels > _STEREO]
        tags = dict.fromkeys(_own_tags(container.metadata))
        for stream in container.streams.video[:1] + container.streams.audio[:1]:
            tags |= dict.fromkeys(_own_tags(stream.metadata))
        return [*named, *([f"the tags {', '.join(tags)}"] if tags else [])]


def _own_tags(metadata: Mapping[str, str]) -> list[str]:
    """The names of tags that say something of what is shown."""
    written = {"handler_name", "vendor_id", "encoder", "creation_time"}
    fresh = {key.lower(): text for key, text in fresh_metadata(dict(metadata)).items()}
    return [key for key, text in fresh.items() if key not in written and text not in ("", "und")]
