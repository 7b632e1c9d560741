"""Refuses uploads that do not fit the disk."""

from pathlib import Path
from typing import Any

from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vdiff_jax.errors import OutputError
from vdiff_jax.serve.workspace import check_room


class UploadGuard:
    """ASGI middleware that ends an upload when the disk is nearly full, or when the browser disconnects.

    Gradio answers a MultiPartException with its text, and removes what has arrived.

    Args:
      app: the page.
      folder: where uploads lie.
      margin: bytes of the disk that must stay free.
    """

    def __init__(self, app: ASGIApp, *, folder: Path, margin: int = 100 << 20):
        self._app, self._folder, self._margin = app, folder, margin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].endswith("/upload"):
            length = Request(scope).headers.get("content-length", "")
            receive = self._checked(receive, int(length) if length.isdecimal() else 0)
        await self._app(scope, receive, send)

    def _checked(self, receive: Receive, left: int) -> Receive:
        """A `receive` that checks the disk before each part of an upload, of which `left` bytes are still to come."""

        async def part() -> Message:
            nonlocal left
            try:
                check_room(self._folder, self._margin + left)
            except OutputError as error:
                raise MultiPartException(str(error)) from error
            message = await receive()
            if message["type"] == "http.disconnect":
                raise MultiPartException("the browser disconnected during the upload")
            left = max(0, left - len(message.get("body", b"")))
            return message

        return part
