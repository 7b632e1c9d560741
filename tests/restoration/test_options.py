"""What a user may ask of `repair`, and when a compressed file is decompressed instead."""

import pytest

from vdiff_jax.errors import OptionError
from vdiff_jax.restoration.options import Options


@pytest.mark.parametrize("free", [{}, {"weights": "fast"}, {"codec": "ffv1", "options": {"crf": "20"}}])
def test_weights_and_encoder_leave_what_is_done_open(free):
    assert Options(**free).as_needed


@pytest.mark.parametrize("asked", [{"task": "denoise"}, {"sigma": 0}, {"start": 0.0}, {"mask": "m.png"}, {"scale": 2}])
def test_anything_else_is_a_wish(asked):
    assert not Options(**asked).as_needed


@pytest.mark.parametrize(("asked", "says"), [({"grow": -1, "mask": "m.png"}, "-1"), ({"grow": 2}, "no mask to grow")])
def test_a_growth_without_a_mask_is_refused(asked, says):
    with pytest.raises(OptionError, match=says):
        Options(**asked)


def test_a_preview_ends_reading_early():
    assert Options(stop=7.0).end == 7
    assert Options().end is None
    assert Options(preview=5).end == 5
    assert Options(start=60.0, preview=5).end == 65
    assert Options(start=60.0, stop=62.0, preview=5).end == 62
    with pytest.raises(OptionError, match="preview of 0 seconds is empty"):
        Options(preview=0)
