"""Optical flow in strips of rows."""

import cv2
import numpy as np

from vdiff_jax.stream.dis import FAST, dense_flow, make_dis


def test_strips_give_the_flow_of_whole_pictures():
    noise = np.random.default_rng(0).normal(size=(700, 96))
    picture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 4), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    # Each row moves by another distance, so that a strip in the wrong place shows.
    places = np.stack(np.meshgrid(np.arange(96.0), np.arange(700.0)), axis=-1).astype(np.float32)
    moved = cv2.remap(picture, places + places[..., 1:] * np.array([0.01, 0], np.float32), None, cv2.INTER_LINEAR)
    whole, strips = (dense_flow(make_dis(FAST), moved, picture, most=most) for most in (picture.size, 1))
    assert strips.shape == whole.shape
    difference = np.abs(strips - whole)[:, 16:-16]
    assert 0 < difference.mean() < 0.05
