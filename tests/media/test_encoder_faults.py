"""Options with which x264 makes the same file of the same frames each time, and SVT-AV1 ends."""

from vdiff_jax.media import encoder_faults
from vdiff_jax.media.encoder_faults import without_faults


def test_avx512_is_avoided_only_in_x264_and_only_where_nothing_else_is_asked(monkeypatch):
    monkeypatch.setattr(encoder_faults, "_has_avx512", lambda: True)
    assert without_faults("libx264", {"crf": "3"}, 64, 48) == {"crf": "3", "x264-params": "asm=avx2"}
    given = {"x264-params": "psy=0"}
    assert without_faults("libx264rgb", given, 64, 48) == {"x264-params": "psy=0:asm=avx2"}
    for encoder, options in (("libx265", {}), ("libx264", {"x264-params": "asm=auto"})):
        assert without_faults(encoder, options, 64, 48) == options
    monkeypatch.setattr(encoder_faults, "_has_avx512", lambda: False)
    assert without_faults("libx264", given, 64, 48) == given


def test_svt_av1_has_one_thread_for_narrow_pictures_which_it_would_never_end():
    for width, height in ((8, 200), (200, 24), (16, 66)):
        assert without_faults("libsvtav1", {"crf": "9"}, width, height) == {"crf": "9", "svtav1-params": "lp=1"}
    for width, height in ((16, 64), (26, 200), (640, 360)):
        assert without_faults("libsvtav1", {}, width, height) == {}
    assert without_faults("libsvtav1", {"svtav1-params": "lp=2:tune=0"}, 8, 200) == {"svtav1-params": "lp=2:tune=0"}
