import dataclasses

import numpy as np
import pytest

from vdiff_jax.stitching import report


def _mesh():
    return np.stack(np.meshgrid(np.arange(9) * 60.0, np.arange(7) * 60.0), axis=-1)


def test_distortion_counts_only_bends_and_swollen_cells():
    mesh = _mesh()
    turned = mesh @ np.array([[0.8, 0.6], [-0.6, 0.8]])
    assert report.distortion(mesh) == pytest.approx(0, abs=1e-9)
    assert report.distortion(turned) == pytest.approx(0, abs=1e-9)
    bent = mesh.copy()
    bent[..., 1] += 0.001 * (mesh[..., 0] - 240) ** 2
    assert report.distortion(bent) > 0.01
    # Cells three times as wide exceed twice their width by 60 pixels.
    assert report.distortion(mesh * [3, 1]) == pytest.approx(60)


def test_stability_weights_distances_to_three_frames_on_both_sides():
    still = np.tile(_mesh(), (12, 2, 1, 1, 1))
    assert report.stability(still) == 0
    pan = still + np.arange(12).reshape(-1, 1, 1, 1, 1) * [2.0, 0.0]
    # Only x moves: half the mean of v² (0.9 + 4 · 0.3 + 9 · 0.1), on two sides.
    assert report.stability(pan) == pytest.approx(4 * (0.9 + 1.2 + 0.9))
    assert report.stability(pan + np.random.default_rng(0).normal(0, 1, pan.shape)) > report.stability(pan) + 3


def test_advice_names_the_pair_and_its_fault(estimated):
    good = [{"inputs": [1, 2], "psnr": 40.0, "ssim": 0.98}]
    assert report.advice(estimated, good) == []
    (sentence,) = report.advice(estimated, [{**good[0], "ssim": 0.5}])
    assert "inputs 1 and 2" in sentence
    assert "parallax" in sentence
    thin = dataclasses.replace(estimated, pairs=({**estimated.pairs[0], "overlap": 0.1, "matches": 30},))
    sentences = report.advice(thin, good)
    assert "10%" in sentences[0]
    assert "30 matches" in sentences[1]
