"""Sound that changes its rate or channels stays one track of the first one's kind."""

from fractions import Fraction

import av
import numpy as np

from vdiff_jax.media.uniform_sound import UniformSound


def frame_of(layout, rate, time):
    channels = av.AudioLayout(layout).nb_channels
    frame = av.AudioFrame.from_ndarray(np.full((channels, 960), 0.25, np.float32), format="fltp", layout=layout)
    frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), round(time * rate)
    return frame


def test_channels_and_rate_become_those_of_the_first_frame(caplog):
    uniform, first = UniformSound(), frame_of("stereo", 48000, 0)
    assert uniform(first) == [first]
    assert caplog.text == ""
    for layout, rate, time in (("5.1", 48000, 0.02), ("5.1", 48000, 0.04), ("stereo", 44100, 0.06)):
        (same,) = uniform(frame_of(layout, rate, time))
        assert (same.layout.name, same.sample_rate, same.format.name) == ("stereo", 48000, "fltp")
        assert abs(float(same.pts * same.time_base) - time) < 0.001
    assert "from stereo at 48000 Hz to 5.1 at 48000 Hz: all of it becomes stereo" in caplog.text
    assert len(caplog.records) == 2
