"""The discrete cosine transform (DCT) of small blocks, as a matrix."""

import numpy as np
from jaxtyping import Float


def dct_matrix(side: int) -> Float[np.ndarray, "k n"]:
    """The orthonormal DCT-II of `side` samples: row k is the k-th cosine. `M @ block @ M.T` transforms a block."""
    frequency = np.arange(side)
    scale = np.sqrt(np.where(frequency == 0, 1, 2) / side)[:, None]
    return (scale * np.cos(np.pi * (frequency[None] + 0.5) * frequency[:, None] / side)).astype(np.float32)
