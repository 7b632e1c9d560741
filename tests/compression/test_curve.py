"""The curve of size and quality."""

from vdiff_jax.compression import curve


def test_larger_files_are_better(sample_clips, monkeypatch):
    monkeypatch.setattr(curve, "_OCTAVES", (2.0, -2.0))
    points = []
    (small, low), (large, high) = curve.quality_curve(sample_clips / "truth.mkv", progress=points.append)
    assert small < large
    assert high - low > 5
    assert points == [0, 1, 2]
