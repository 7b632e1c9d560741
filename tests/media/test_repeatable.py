"""Options with which x264 makes the same file of the same frames each time."""

from vdiff_jax.media import repeatable


def test_avx512_is_avoided_only_in_x264_and_only_where_nothing_else_is_asked(monkeypatch):
    monkeypatch.setattr(repeatable, "_has_avx512", lambda: True)
    assert repeatable.repeatable_options("libx264", {"crf": "3"}) == {"crf": "3", "x264-params": "asm=avx2"}
    given = {"x264-params": "psy=0"}
    assert repeatable.repeatable_options("libx264rgb", given) == {"x264-params": "psy=0:asm=avx2"}
    for encoder, options in (("libx265", {}), ("libx264", {"x264-params": "asm=auto"})):
        assert repeatable.repeatable_options(encoder, options) == options
    monkeypatch.setattr(repeatable, "_has_avx512", lambda: False)
    assert repeatable.repeatable_options("libx264", given) == given
