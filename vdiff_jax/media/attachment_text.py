"""The attachment of a compressed file: text in its `comment`, which a stream copy by FFmpeg keeps in most formats.

The text is `vdiff:` and the attachment in base64. A comment of the video's own precedes it.
"""

import base64
import binascii
import re
from collections.abc import Mapping

KEY = "comment"
_TEXT = re.compile(r"(?<!\s)\s*vdiff:([A-Za-z0-9+/=]*)")
"""The space before it is matched from its start only, so that much of it takes no longer than other text."""


def with_attachment(comment: str, attachment: bytes) -> str:
    """A comment that holds the attachment too."""
    text = "vdiff:" + base64.b64encode(attachment).decode().rstrip("=")
    return f"{comment}\n{text}" if comment else text


def without_attachment(value: str) -> str:
    """A value of a file's metadata as it was before compression."""
    return _TEXT.sub("", value)


def attachment_in(metadata: Mapping[str, str]) -> bytes | None:
    """The attachment in a file's metadata, under any key. None if there is none; damaged if it was cut short."""
    for value in metadata.values():
        found = _TEXT.search(value)
        if found is not None:
            text = found[1].rstrip("=")
            try:
                return base64.b64decode(text + "=" * (-len(text) % 4))
            except binascii.Error:
                return b""
    return None
