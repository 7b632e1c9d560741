"""Push-pull filling on the host: unknown pixels take a weighted mean of the known ones around them, coarse to fine."""

import cv2
import numpy as np
from jaxtyping import Float


def push_pull_fill(image: Float[np.ndarray, "h w c"], known: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w c"]:
    """Fills unknown pixels with a smooth continuation of the known ones; zero if no pixel is known.

    This version runs on the host in OpenCV, because `preprocess.push_pull` would compile once for each size of hole.

    Args:
      image: values in any unit.
      known: 1 where the image is known, 0 where it is not, or a share.

    Source: Gortler et al., The Lumigraph, 1996, section 3.4.
    """
    if known.all() or not known.any():
        return image * (known > 0)[..., None]
    height, width = known.shape
    size = ((width + 1) // 2, (height + 1) // 2)
    weight = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    total = cv2.resize(image * known[..., None], size, interpolation=cv2.INTER_AREA).reshape(*weight.shape, -1)
    coarse = push_pull_fill(total / np.maximum(weight, 1e-6)[..., None], (weight > 1e-3).astype(np.float32))
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).reshape(image.shape)
    return known[..., None] * image + (1 - known[..., None]) * smooth
