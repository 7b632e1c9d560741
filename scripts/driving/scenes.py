"""The steps of scripts/drive_page.py: what a user does on the page, and what the page must show then."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import httpx
from playwright.sync_api import Browser, Page, expect

from vdiff_jax import media, sample
from vdiff_jax.serve.pictures import upright
from vdiff_jax.serve.previews import write_pictures

_WAIT = 240_000
"""Milliseconds within which a job ends."""
expect.set_options(timeout=_WAIT)
WIDE, PHONE = {"width": 1180, "height": 900}, {"width": 390, "height": 844}


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


def make_clips(folder: Path) -> dict[str, Path]:
    """Writes the clips that the scenes upload."""
    clips = {name: folder / f"{name}.mp4" for name in ("noisy", "truth", "long", "left", "right")}
    middle = slice(120, 360)
    shots = {"noisy": (sample.NOISY, 8, middle), "truth": (sample.TRUTH, 8, middle), "long": (sample.NOISY, 60, middle)}
    shots |= {"left": (sample.TRUTH, 8, slice(0, 300)), "right": (sample.TRUTH, 8, slice(180, 480))}
    for name, (source, count, columns) in shots.items():
        _write(clips[name], source, count, columns)
    clips["text"] = folder / "letter.mp4"
    clips["text"].write_text("this is not a video\n")
    clips["huge"] = folder / "huge.mp4"
    clips["huge"].write_bytes(bytes(4 << 20))
    return clips


def _write(target: Path, source: Path, count: int, columns: slice) -> None:
    with media.open_reader(source) as reader:
        pictures = (upright(frame, reader.info)[60:196, columns] for _, frame in zip(range(count), reader))
        write_pictures(pictures, target, reader.info.rate)


class Stage:
    """A browser, the page's address, the clips and the folder for screenshots."""

    def __init__(self, browser: Browser, address: str, clips: dict[str, Path], shots: Path, served: Path):
        self.browser, self.address, self.clips, self.shots, self.served = browser, address, clips, shots, served

    @contextlib.contextmanager
    def page(self, *, size: dict[str, int] = WIDE, dark: bool = False) -> Iterator[Page]:
        """The page, open in a browser of its own."""
        context = self.browser.new_context(viewport=size, color_scheme="dark" if dark else "light")
        context.set_default_timeout(_WAIT)
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(self.address)
        page.wait_for_selector("#repair-video")
        yield page
        context.close()
        assert not errors, errors

    def shoot(self, page: Page, name: str) -> None:
        """Takes a screenshot of the whole page."""
        page.wait_for_timeout(700)
        page.wait_for_function(
            "[...document.querySelectorAll('video')].every(v => !v.offsetParent || v.readyState > 1)"
        )
        page.screenshot(path=self.shots / f"{name}.png", full_page=True)

    def upload(self, page: Page, where: str, *names: str) -> None:
        """Uploads clips."""
        files = [str(self.clips[name]) for name in names]
        page.set_input_files(f"#{where} input[type=file]", files if len(files) > 1 else files[0])


def repair(stage: Stage) -> None:
    """Uploads, reads the plan, repairs, moves both sliders, plays, downloads; light, dark, and on a phone."""
    for look, size, dark in (("light", WIDE, False), ("dark", WIDE, True), ("phone", PHONE, True)):
        with stage.page(size=size, dark=dark) as page:
            stage.shoot(page, f"repair-{look}-1-empty")
            stage.upload(page, "repair-video", "noisy")
            expect(page.locator("#repair-plan")).to_contain_text("denoise", ignore_case=True)
            page.get_by_label("Fast").check()
            expect(page.locator("#repair-plan")).to_contain_text("fast", ignore_case=True)
            stage.shoot(page, f"repair-{look}-2-plan")
            page.click("#repair-start")
            if look == "light":  # the first run compiles; later ones may end before the browser looks
                expect(page.locator("#repair-status .bar")).to_be_visible()
                stage.shoot(page, f"repair-{look}-3-running")
            expect(page.locator("#repair-done")).to_contain_text("denoise, 8 frames", ignore_case=True)
            expect(page.locator("#repair-slider img")).to_have_count(2)
            stage.shoot(page, f"repair-{look}-4-done")
            _no_overflow(page)
            before = page.locator("#repair-slider img").first.get_attribute("src")
            page.locator("#repair-frame input[type=number]").fill("7")
            page.locator("#repair-frame input[type=number]").press("Enter")
            page.wait_for_function(
                "before => document.querySelector('#repair-slider img').getAttribute('src') != before", arg=before
            )
            _plays(page, "#repair-preview video")
            with page.expect_download() as download:
                page.click("#repair-download")
            got = media.probe(download.value.path())
            assert (got.width, got.height, got.frames) == (240, 136, 8), got
            assert download.value.suggested_filename == "noisy-repaired.mp4", download.value.suggested_filename


def paint(stage: Stage) -> None:
    """Repairs before anything is painted; then paints a mask with the mouse and fills it."""
    with stage.page() as page:
        stage.upload(page, "repair-video", "truth")
        page.get_by_label("Fast").check()
        _choose_painting(page)
        page.click("#repair-start")
        expect(page.locator("#repair-status")).to_contain_text("Nothing is painted yet")
        stage.shoot(page, "paint-1-frame")
        _paint(page, [(0.4, 0.5), (0.6, 0.52)])
        stage.shoot(page, "paint-2-painted")
        page.click("#repair-start")
        expect(page.locator("#repair-done")).to_contain_text("inpaint", ignore_case=True)
        stage.shoot(page, "paint-3-done")


def stop(stage: Stage) -> None:
    """Stops a run; the page can start another one, while a second page waits for its turn."""
    with stage.page() as page, stage.page() as other:
        for each in (page, other):
            stage.upload(each, "repair-video", "long")
            expect(each.locator("#repair-plan")).to_contain_text("denoise", ignore_case=True)
        page.click("#repair-start")
        expect(page.locator("#repair-status")).to_contain_text("of 60 frames", ignore_case=True)
        other.click("#repair-start")
        expect(other.locator("#repair-status")).to_contain_text("Waiting: 1 other job first", ignore_case=True)
        stage.shoot(other, "stop-1-waiting")
        page.click("#repair-stop")
        expect(page.locator("#repair-status")).to_contain_text("Stopped", ignore_case=True)
        stage.shoot(page, "stop-2-stopped")
        expect(other.locator("#repair-status")).to_contain_text("of 60 frames", ignore_case=True)
        other.close()  # ends its job
        page.click("#repair-start")
        expect(page.locator("#repair-status")).to_contain_text("of 60 frames")
        page.click("#repair-stop")
        expect(page.locator("#repair-status")).to_contain_text("Stopped", ignore_case=True)


def tabs(stage: Stage) -> None:
    """Stitches, compresses and compares, on a wide screen and on a phone."""
    for look, size, dark in (("light", WIDE, False), ("phone", PHONE, True)):
        with stage.page(size=size, dark=dark) as page:
            _tab(page, "Stitch")
            stage.upload(page, "stitch-videos", "left", "right")
            page.wait_for_timeout(1500)
            stage.shoot(page, f"stitch-{look}-1")
            page.click("#stitch-start")
            expect(page.locator("#stitch-result")).to_contain_text("stitched.mp4", ignore_case=True)
            stage.shoot(page, f"stitch-{look}-2-done")
            _tab(page, "Compress")
            stage.upload(page, "compress-video", "truth")
            page.get_by_label("Quick").check()
            stage.shoot(page, f"compress-{look}-1")
            page.click("#compress-start")
            expect(page.locator("#compress-done")).to_contain_text("After", ignore_case=True)
            page.click("#compress-curve")
            expect(page.locator("#compress-plot canvas, #compress-plot svg").first).to_be_visible()
            stage.shoot(page, f"compress-{look}-2-done")
            _tab(page, "Compare")
            stage.upload(page, "compare-reference", "truth")
            stage.upload(page, "compare-test", "noisy")
            page.click("#compare-start")
            expect(page.locator("#compare-done")).to_contain_text("PSNR", ignore_case=True)
            stage.shoot(page, f"compare-{look}-done")
            _no_overflow(page)


def mistakes(stage: Stage) -> None:
    """No video, a file that is none, one that is too large, a full disk, everything painted over: one line each."""
    with stage.page() as page:
        page.click("#repair-start")
        expect(page.locator("#repair-status")).to_contain_text("There is no video yet")
        stage.upload(page, "repair-video", "text")
        expect(page.locator("#repair-plan")).to_contain_text("letter.mp4", ignore_case=True)
        stage.shoot(page, "mistake-1-text")
        assert str(stage.served) not in page.locator("#repair-plan").inner_text()
    with stage.page() as page:
        stage.upload(page, "repair-video", "huge")
        expect(page.get_by_text(re.compile("maximum|too large", re.IGNORECASE)).first).to_be_visible()
        stage.shoot(page, "mistake-2-huge")
    full = shutil.disk_usage("/")._replace(free=1000)
    with stage.page() as page, mock.patch("shutil.disk_usage", return_value=full):
        stage.upload(page, "repair-video", "noisy")
        expect(page.get_by_text("the disk is nearly full").first).to_be_visible()
        stage.shoot(page, "mistake-3-full")

    with stage.page() as page:
        stage.upload(page, "repair-video", "truth")
        _choose_painting(page)
        rows = [(across, row / 10) for row in range(11) for across in ((0, 1) if row % 2 else (1, 0))]
        _paint(page, [(0.5, 0.5), *rows])  # the editor's corners are under its label and its buttons
        stage.shoot(page, "mistake-4-everything")
        page.click("#repair-start")
        expect(page.locator("#repair-status")).to_contain_text("Everything is painted over")


def command(stage: Stage) -> None:
    """`vdiff serve` asks for its password, limits uploads, refuses other sites' names, and leaves nothing behind."""
    port, folder = str(free_port()), stage.served.parent / "command"
    folder.mkdir()
    started = [sys.executable, "-m", "vdiff_jax", "serve", "--port", port, "--max-upload", "1000"]
    environment = os.environ | {"TMPDIR": str(folder), "VDIFF_PASSWORD": "secret"}
    with subprocess.Popen(started, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr
        assert any("the page is at" in line for line in iter(process.stderr.readline, ""))
        second = subprocess.run(started, capture_output=True, text=True, env=environment)
        assert second.stderr.startswith(f"error: port {port} is in use: pass another one"), second.stderr
        address = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{address}/config").status_code == 401
        assert httpx.post(f"{address}/login", data={"username": "me", "password": "wrong"}).status_code == 400
        page = stage.browser.new_page()
        page.goto(address)
        page.get_by_label("username").fill("me")
        page.get_by_label("password").fill("secret")
        stage.shoot(page, "command-1-password")
        page.get_by_role("button", name="Login").click()
        page.wait_for_selector("#repair-video")
        page.close()
        with httpx.Client(base_url=address) as client:
            client.post("/login", data={"username": "me", "password": "secret"})
            answers = [
                client.post("/gradio_api/upload", files={"files": ("a.mp4", bytes(size))}) for size in (900, 1100)
            ]
            assert [answer.status_code for answer in answers] == [200, 413], answers
            assert Path(answers[0].json()[0]).is_relative_to(folder)
            assert client.get("/config", headers={"host": "evil.example"}).status_code == 400
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert not list(folder.glob("vdiff-serve-*"))


def leave(stage: Stage) -> None:
    """A browser that closes leaves no files behind."""
    for _ in range(60):
        if not any(path.is_file() for path in stage.served.rglob("*")):  # Gradio itself makes an empty folder
            return
        time.sleep(1)
    raise AssertionError(sorted(stage.served.rglob("*")))


def _tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def _choose_painting(page: Page) -> None:
    """Chooses to paint, and waits for the picture to paint on."""
    with page.expect_response(lambda response: "/file=" in response.url):
        page.get_by_label("What I paint").check()


def _paint(page: Page, points: list[tuple[float, float]]) -> None:
    """Paints a line with the mouse through points, given as shares of the editor's width and height."""
    expect(page.locator("#repair-plan")).to_contain_text("inpaint")
    page.wait_for_timeout(2500)  # the editor moves its picture into place
    canvas = page.locator("#repair-editor canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    for number, (across, down) in enumerate(points):
        page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"], steps=5)
        if number == 0:
            page.mouse.down()
    page.wait_for_timeout(300)
    page.mouse.up()


def _plays(page: Page, selector: str) -> None:
    """Waits until a video has pictures and its time goes on."""
    page.evaluate("s => { const v = document.querySelector(s); v.muted = true; return v.play(); }", selector)
    page.wait_for_function(
        "s => { const v = document.querySelector(s); return v.videoWidth > 0 && v.currentTime > 0; }", arg=selector
    )


def _no_overflow(page: Page) -> None:
    """Raises if the page is wider than the screen."""
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 1, f"the page is {wide} pixels wider than the screen"
