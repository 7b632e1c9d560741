"""Outputs that can only be one file."""

import pytest

from vdiff_jax.errors import OutputError
from vdiff_jax.media.single_file import check_report


def test_a_report_that_can_t_be_written_is_an_error(tmp_path):
    for report, why in (
        (tmp_path / "none" / "r.json", "there is no folder"),
        (tmp_path, "is a folder: pass the name of a file, such as report.json"),
        ("-", "stdout is no file"),
        (tmp_path / "out.mkv", "also an input or the output"),
    ):
        with pytest.raises(OutputError, match=why):
            check_report(report, [tmp_path / "in.mkv", tmp_path / "out.mkv"])
    check_report(tmp_path / "r.json", [None, tmp_path / "out.mkv"])
