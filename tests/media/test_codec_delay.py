"""Encoder priming in a file's header."""

from fractions import Fraction

import av
import pytest

from vdiff_jax.media.codec_delay import declared_delay, delayed_template, first_sound_times


def test_the_template_declares_the_delay_and_stays_the_same_sound(tmp_path, flash_clip):
    with av.open(str(flash_clip(tmp_path / "in.mp4"))) as container:
        stream = container.streams.audio[0]
        with delayed_template(stream, Fraction(1024, 48000)) as template:
            assert abs(declared_delay(template) - Fraction(1024, 48000)) <= Fraction(1, 48000)
            assert template.codec_context.name == stream.codec_context.name == "aac"
            assert template.codec_context.extradata == stream.codec_context.extradata
            assert template.codec_context.sample_rate == 48000


def test_the_first_sound_has_its_time(tmp_path, flash_clip):
    late = first_sound_times(str(flash_clip(tmp_path / "late.mkv", clock=2, sound="pcm_s16le")))
    assert late == {1: 2}
    assert first_sound_times(str(flash_clip(tmp_path / "silent.mkv", sound=None))) == {}


@pytest.mark.parametrize(("name", "first"), [("clip.mp4", Fraction(-1024, 48000)), ("clip.mkv", Fraction(-21, 1000))])
def test_sound_begins_with_the_encoders_priming(flash_clip, tmp_path, name, first):
    assert first_sound_times(str(flash_clip(tmp_path / name))) == {1: first}
