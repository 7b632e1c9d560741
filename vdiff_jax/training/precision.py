"""The dtype that the network computes in. Parameters, the hidden state and the clip stay float32."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdiff_jax.nn.network import Correction, Network


class Bfloat16Network(Network):
    """The network with convolutions in bfloat16, for devices that are fast at it; its parameters are float32."""

    def encode(self, x: Float[Array, "*b h w i"]) -> list[Float[Array, "*b hl wl cl"]]:
        return super().encode(x.astype(jnp.bfloat16))

    def recur(self, features: list[Array], moved: list[Array]) -> list[Array]:
        return _cast(super().recur(features, _cast(moved, jnp.bfloat16)), jnp.float32)

    def correct(self, z: Float[Array, "*b h w 12"], hidden: list[Array], features: list[Array]) -> Correction:
        z, hidden = _cast((z, hidden), jnp.bfloat16)
        return _cast(super().correct(z, hidden, features), jnp.float32)


NETWORKS = {"float32": Network, "bfloat16": Bfloat16Network}


def _cast(tree, dtype):
    return jax.tree.map(lambda leaf: leaf.astype(dtype), tree)
