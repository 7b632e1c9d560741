"""The progress bar, and how Ctrl-C and SIGTERM end a run."""

import io
import os
import signal
import sys

import pytest

from vdiff_jax import infer, sample
from vdiff_jax.cli import progress
from vdiff_jax.errors import InputError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_shows_the_frames_done_of_all(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress.progress_bar(str(sample.TRUTH), quiet=False) as count:
        count(1)
        count(60)
    assert "60/60" in sys.stderr.getvalue()
    assert sample.TRUTH.name in sys.stderr.getvalue()


def test_the_total_is_the_number_of_frames_that_come_out(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress.progress_bar(str(sample.TRUTH), quiet=False, position="file 2 of 3") as count:
        count.expect(119, "interpolate")
        count(119)
    assert f"file 2 of 3: {sample.TRUTH.name}: interpolate" in sys.stderr.getvalue()
    assert "119/119" in sys.stderr.getvalue()


def test_a_stage_that_counts_no_frames_shows_its_name_alone(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress.progress_bar(str(sample.TRUTH), quiet=False) as count:
        for stage in ("encoding 1 of at most 5", "fitting", "encoding 2 of at most 5"):
            count.begin(stage)
            if stage != "fitting":
                count(20)
                count(60)
    lines = [line.strip() for line in sys.stderr.getvalue().split("\r")]
    assert f"{sample.TRUTH.name}, fitting" in lines
    assert not any("/-" in line or "-0:" in line or " -" in line for line in lines)  # no negative speed or time
    assert "60/60" in next(line for line in lines[::-1] if "encoding 2 of at most 5" in line)


def test_a_terminal_of_unknown_width_has_a_bar_too(monkeypatch):
    ours, theirs = os.openpty()  # a new terminal has 0 columns
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with progress.progress_bar(str(sample.TRUTH), quiet=False) as count:
            count(1)
            count(60)
        assert b"/60 [" in os.read(ours, 1 << 16)
    os.close(ours)


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
def test_quiet_shows_nothing(monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream())
    with progress.progress_bar("-", quiet=True) as count:
        count.expect(2, "denoise")
        count(1)
    assert sys.stderr.getvalue() == ""


def test_without_a_terminal_there_is_a_line_every_ten_seconds(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.progress_bar("in.mp4", quiet=False) as count:
        count.expect(200, "denoise")
        for frame in range(1, 26):
            now[0] += 1
            count(frame)
    assert sys.stderr.getvalue().splitlines() == [
        "in.mp4: denoise",
        "in.mp4: 10 of 200 frames, 1 frames/s, 3:10 left",
        "in.mp4: 20 of 200 frames, 1 frames/s, 3:00 left",
    ]


def test_an_interruption_that_was_swallowed_ends_the_job_at_the_next_frame():
    with progress.stopping_on_signals(), progress.progress_bar("-", quiet=True) as count:
        count(1)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            count(2)
    with progress.stopping_on_signals(), progress.progress_bar("-", quiet=True) as count:
        count(1)


OUTCOMES = {
    "done": None,
    "error": InputError("no such file"),
    "interrupted": KeyboardInterrupt(),
    "bug": ZeroDivisionError(),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_main_restores_the_signal_handlers_of_its_caller(monkeypatch, outcome):
    installed = []

    def command(options):
        installed.extend(map(signal.getsignal, (signal.SIGINT, signal.SIGTERM)))
        if OUTCOMES[outcome] is not None:
            raise OUTCOMES[outcome]
        return 0

    def handler(*_):
        """The caller's own."""

    monkeypatch.setitem(infer._COMMANDS, "choose", command)
    former = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        code = infer.main(["choose", "in.mp4"])
        assert code == {"done": 0, "error": 1, "interrupted": 130, "bug": 1}[outcome]
        assert installed == [progress.request_stop] * 2
        assert all(signal.getsignal(number) is handler for number in former)
    finally:
        for number, theirs in former.items():
            signal.signal(number, theirs)
