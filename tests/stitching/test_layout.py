import numpy as np
import pytest

from vdiff_jax.errors import OptionError, StitchError
from vdiff_jax.stitching.layout import choose_layout
from vdiff_jax.stitching.panorama import PanoramaOptions
from vdiff_jax.stitching.sequence import ClipSequence
from vdiff_jax.stitching.source import open_sources

# That "auto" makes a panorama of views that overlap, and gives the reason, is tested in test_stitch.py.


def test_auto_makes_a_sequence_of_other_clips_and_gives_the_reason(wide):
    noise = np.random.default_rng(0).integers(0, 255, (4, 20, 20, 3)).repeat(8, 1).repeat(10, 2).astype(np.uint8)
    product, why = choose_layout(open_sources([wide[:4, :160, :200], noise]), "auto", PanoramaOptions())
    assert isinstance(product, ClipSequence)
    assert "do not overlap enough" in why


def test_an_unknown_layout_and_a_single_input_are_refused(wide):
    sources = open_sources([wide[:4]])
    with pytest.raises(OptionError, match="layout mosaic: pass auto, panorama or sequence"):
        choose_layout(sources, "mosaic", PanoramaOptions())
    with pytest.raises(StitchError, match="1 input: pass two or more to stitch"):
        choose_layout(sources, "auto", PanoramaOptions())
