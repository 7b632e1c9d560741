"""OpenCV's dense inverse search (DIS) optical flow, with settings by name.

Source: Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016.
"""

import dataclasses

import cv2
import numpy as np
from jaxtyping import Float, UInt8


@dataclasses.dataclass(frozen=True, kw_only=True)
class DisSettings:
    """How DIS searches; `None` leaves a value as the preset has it.

    Attributes:
      preset: OpenCV's preset.
      finest_scale: the finest level of the pyramid that is searched; 0 is full size.
      patch_stride: pixels between neighbouring patches.
      descent_iterations: steps of gradient descent for each patch.
      refinement_iterations: steps of the variational refinement.
    """

    preset: int
    finest_scale: int | None = None
    patch_stride: int | None = None
    descent_iterations: int | None = None
    refinement_iterations: int | None = None


FAST = DisSettings(preset=cv2.DISOPTICAL_FLOW_PRESET_FAST)
MEDIUM = DisSettings(preset=cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
COARSE = DisSettings(preset=cv2.DISOPTICAL_FLOW_PRESET_FAST, finest_scale=1)
"""Between frames of a video, on half-size luma: the velocity field is coarser still."""
FINE = DisSettings(preset=cv2.DISOPTICAL_FLOW_PRESET_FAST, finest_scale=0, patch_stride=3, refinement_iterations=0)
"""Between frames that others are interpolated from. Variational refinement changed nothing, for twice the time."""
WIENER = DisSettings(
    preset=cv2.DISOPTICAL_FLOW_PRESET_FAST,
    finest_scale=0,
    patch_stride=5,
    descent_iterations=8,
    refinement_iterations=1,
)
"""For the Wiener step. A stride of 4 and more iterations of either kind changed nothing, for twice the time."""
TRACKING = DisSettings(preset=cv2.DISOPTICAL_FLOW_PRESET_MEDIUM, finest_scale=0)
"""For tracking colours, which refines a guess over many frames."""


def make_dis(settings: DisSettings) -> cv2.DISOpticalFlow:
    """An optical flow estimator; `calc(here, there, guess)` gives displacements in pixels."""
    flow = cv2.DISOpticalFlow.create(settings.preset)
    setters = {
        flow.setFinestScale: settings.finest_scale,
        flow.setPatchStride: settings.patch_stride,
        flow.setGradientDescentIterations: settings.descent_iterations,
        flow.setVariationalRefinementIterations: settings.refinement_iterations,
    }
    for setter, value in setters.items():
        if value is not None:
            setter(value)
    return flow


_LARGE = 2_500_000
"""Pixels: by default larger pictures are measured in strips of rows, because DIS takes 200 bytes for each pixel."""
_STRIP, _OVERLAP = 256, 64
"""Rows of a strip, and those above and below it that DIS sees too."""


def dense_flow(
    flow: cv2.DISOpticalFlow,
    here: UInt8[np.ndarray, "h w"],
    there: UInt8[np.ndarray, "h w"],
    *,
    most: int = _LARGE,
) -> Float[np.ndarray, "h w 2"]:
    """Displacements (x, y) from one picture to another, in pixels.

    Args:
      flow: from `make_dis`.
      here, there: the pictures.
      most: pixels. The flow of larger pictures is measured in strips, where vertical motion beyond the strip is missed.
    """
    if here.size <= most:
        return flow.calc(here, there, None)
    height = len(here)
    whole = np.empty((*here.shape, 2), np.float32)
    for start in range(0, height, _STRIP):
        stop = min(start + _STRIP, height)
        # All strips have one size, so that DIS can use its memory again.
        low = int(np.clip(start - _OVERLAP, 0, max(height - _STRIP - 2 * _OVERLAP, 0)))
        seen = slice(low, min(low + _STRIP + 2 * _OVERLAP, height))
        whole[start:stop] = flow.calc(here[seen], there[seen], None)[start - low : stop - low]
    return whole
