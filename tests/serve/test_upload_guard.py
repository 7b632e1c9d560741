"""An upload is ended when the disk gets full, and when the browser breaks it off."""

import asyncio

import pytest
from starlette.formparsers import MultiPartException

from vdiff_jax.serve.upload_guard import UploadGuard


def uploaded(tmp_path, length, parts, path="/gradio_api/upload", margin=0):
    """The bytes that the page receives."""
    coming, got = iter(parts), []

    async def app(scope, receive, send):
        for _ in parts:
            got.append((await receive()).get("body"))

    async def receive():
        part = next(coming)
        return {"type": "http.disconnect"} if part is None else {"type": "http.request", "body": part}

    scope = {"type": "http", "method": "POST", "path": path, "headers": [(b"content-length", str(length).encode())]}
    asyncio.run(UploadGuard(app, folder=tmp_path, margin=margin)(scope, receive, None))
    return got


def test_what_fits_is_passed_on(tmp_path):
    assert uploaded(tmp_path, 4, [b"ab", b"cd"]) == [b"ab", b"cd"]
    assert uploaded(tmp_path, 1 << 60, [b"ab"], path="/elsewhere") == [b"ab"]


def test_what_does_not_fit_is_refused_in_one_line(tmp_path):
    with pytest.raises(MultiPartException) as caught:
        uploaded(tmp_path, 1 << 60, [b"ab"])
    assert "the disk is nearly full" in caught.value.message
    assert "\n" not in caught.value.message


def test_some_room_is_left(tmp_path):
    with pytest.raises(MultiPartException, match="nearly full"):
        uploaded(tmp_path, 0, [b"ab"], margin=1 << 60)


def test_the_disk_may_fill_while_an_upload_comes(tmp_path, monkeypatch):
    free = iter([100, 3, 1])
    usage = type("Usage", (), {"free": property(lambda self: next(free))})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage())
    with pytest.raises(MultiPartException, match="nearly full"):
        uploaded(tmp_path, 6, [b"ab", b"cd", b"ef"])


def test_an_upload_that_is_broken_off_is_ended(tmp_path):
    with pytest.raises(MultiPartException, match="disconnected"):
        uploaded(tmp_path, 6, [b"ab", None])
