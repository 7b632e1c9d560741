"""A stopped panorama continues only with what it began with, and then has the frames of a run that never stopped."""

import json

import numpy as np
import pytest

from vdiff_jax.errors import ResumeError
from vdiff_jax.media import open_reader, open_writer
from vdiff_jax.runtime import checkpoints
from vdiff_jax.stitching.source import ArraySource, output_frame, output_info
from vdiff_jax.stitching.stitch import stitch


class StoppedError(Exception):
    pass


def _file(path, clip):
    info = output_info([ArraySource(clip, "clip", 20.0)], clip.shape[2:0:-1], 20.0)
    with open_writer(path, info) as writer:
        for index, frame in enumerate(clip):
            writer.write(output_frame(frame, info, index))
    return str(path)


def _stop(frames):
    if frames == 13:
        raise StoppedError


def _planes(path):
    with open_reader(path) as reader:
        return [np.concatenate([plane.ravel() for plane in frame.planes]) for frame in reader]


def test_another_calibration_is_refused(rig, known, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "_SHORTEST", 8)
    monkeypatch.setattr(checkpoints, "_LONGEST", 8)
    files = [_file(tmp_path / f"{number}.mp4", clip) for number, clip in enumerate(rig.clips)]
    own, other = tmp_path / "own.json", tmp_path / "other.json"
    own.write_text(known.read_text())
    other.write_text(json.dumps(json.loads(known.read_text()) | {"gains": [[1.0] * 3, [0.5] * 3]}))
    out, given = tmp_path / "out.mkv", {"layout": "panorama", "codec": "ffv1"}
    with pytest.raises(StoppedError):
        stitch(files, out, calibration=own, progress=_stop, **given)
    for changed in (other, None):
        with pytest.raises(ResumeError, match=r"calibration .*: repeat the command as it was"):
            stitch(files, out, calibration=changed, resume=True, **given)
    stitch(files, out, calibration=own, resume=True, **given)
    stitch(files, tmp_path / "whole.mkv", calibration=own, **given)
    np.testing.assert_array_equal(_planes(out), _planes(tmp_path / "whole.mkv"))
