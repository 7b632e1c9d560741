"""Options that let FFmpeg read the given file, and nothing else: any file may be hostile."""

import functools

import av

_LEADING_ELSEWHERE = "hls dash webm_dash_manifest concat imf sdp rtp rtsp sap rtp_mpegts"
_SCRIPTS = "lavfi avisynth vapoursynth"
_DEVICES = "x11grab fbdev video4linux2,v4l2 alsa oss pulse kmsgrab libcdio dshow gdigrab avfoundation decklink"
_REFUSED = frozenset(f"{_LEADING_ELSEWHERE} {_SCRIPTS} {_DEVICES}".split())
PLAYLISTS = {b"#EXTM3U": "HLS", b"ffconcat": "concat", b"v=0": "SDP", b"<?xml": "XML", b"<MPD": "DASH"}
"""How the playlists begin that FFmpeg would follow."""


def safe_options() -> dict[str, str]:
    """The options with which every file is opened: local files only, and no format that leads to other files."""
    return {"protocol_whitelist": "file", "format_whitelist": _allowed_formats()}


@functools.cache
def _allowed_formats() -> str:
    return ",".join(sorted(name for name in av.formats_available if name not in _REFUSED))


def playlist_kind(name: str) -> str | None:
    """The kind of playlist that a file is; `None` if it is none."""
    try:
        with open(name, "rb") as file:
            head = file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")
    except OSError:
        return None
    return next((kind for start, kind in PLAYLISTS.items() if head.startswith(start)), None)
