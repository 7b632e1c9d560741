"""Files that exist are replaced, kept, or the user is asked (`overwriting`)."""

import io
import sys

import pytest

from vdiff_jax import infer, sample
from vdiff_jax.cli.overwriting import check_overwriting
from vdiff_jax.errors import OutputError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def existing(tmp_path):
    (tmp_path / "out.mp4").write_text("mine")
    return tmp_path / "out.mp4"


@pytest.mark.parametrize(("answer", "replaced"), [("y\n", True), ("\n", False), ("no\n", False), ("", False)])
def test_on_a_terminal_the_user_is_asked(monkeypatch, existing, answer, replaced):
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys, "stderr", Terminal())
    if replaced:
        check_overwriting(existing, overwrite=False, keep=False)
    else:
        with pytest.raises(OutputError, match="pass -y"):
            check_overwriting(existing, overwrite=False, keep=False)
    assert "Replace it?" in sys.stderr.getvalue()


def test_without_a_terminal_and_with_y_nobody_is_asked(monkeypatch, existing):
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    check_overwriting(existing, overwrite=False, keep=False)
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    monkeypatch.setattr(sys, "stderr", Terminal())
    check_overwriting(existing, overwrite=True, keep=False)
    assert sys.stderr.getvalue() == ""


def test_n_keeps_the_file_before_anything_is_read(existing, capsys):
    assert infer.main(["repair", str(sample.TRUTH), "-o", str(existing), "-n"]) == 1
    assert "exists and is kept" in capsys.readouterr().err
    assert existing.read_text() == "mine"


def test_a_batch_skips_files_that_exist(tmp_path, sample_clips, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "a.mkv").write_bytes((sample_clips / "truth.mkv").read_bytes())
    (tmp_path / "out" / "a.mkv").write_text("mine")
    assert infer.main(["repair", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "-n"]) == 0
    assert (tmp_path / "out" / "a.mkv").read_text() == "mine"
    assert "out: 1 of 1 results exist and are kept" in capsys.readouterr().err


def test_the_output_of_a_batch_is_no_file(existing, sample_clips, capsys):
    assert infer.main(["repair", str(sample_clips), "-o", str(existing), "-y"]) == 1
    assert "out.mp4 is a file: pass a folder" in capsys.readouterr().err
