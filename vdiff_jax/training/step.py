"""One step of gradient descent, written for one device of a data-parallel run."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
import optax.contrib
from flax import nnx
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Int

from vdiff_jax.config import Train
from vdiff_jax.diffusion.rollout import rollout
from vdiff_jax.diffusion.step import input_channels, start
from vdiff_jax.nn.network import SIZES, Network, NetworkConfig
from vdiff_jax.sharding import AXIS
from vdiff_jax.tasks.projection import project
from vdiff_jax.training.centring import Means, centred, no_means, uncentred
from vdiff_jax.training.data import Example
from vdiff_jax.training.losses import LOSSES
from vdiff_jax.training.precision import NETWORKS


class State(NamedTuple):
    """The training state.

    Attributes:
      step: the number of steps done.
      params: the network's parameters.
      average: their moving average.
      optimiser: the optimiser's state.
      means: the mean input of each convolution, which steps do not change; zero: gradients are not centred.
    """

    step: Int[Array, ""]
    params: nnx.State
    average: nnx.State
    optimiser: optax.OptState
    means: Means


def build(config: NetworkConfig, *, kind: type[Network] = Network, seed: int = 0) -> tuple[nnx.GraphDef, nnx.State]:
    """An untrained network, split into its definition and its parameters."""
    return nnx.split(nnx.jit(lambda: kind(config, inputs=input_channels(config), rngs=nnx.Rngs(seed)))())


def schedule(train: Train) -> optax.Schedule:
    """The learning rate: a linear rise over `warmup` steps, then a cosine down to `final` of the peak."""
    return optax.warmup_cosine_decay_schedule(
        0.0, train.learning_rate, train.warmup, max(train.steps, train.warmup + 1), train.final * train.learning_rate
    )


def optimiser(train: Train) -> optax.GradientTransformation:
    """Adam or Muon on clipped gradients. Muon updates kernels by nearly orthogonal matrices, the rest by Adam."""
    rules = {
        "adam": lambda: optax.adam(schedule(train), b2=0.99),
        "muon": lambda: optax.contrib.muon(
            schedule(train),
            adam_b2=0.99,
            consistent_rms=0.2,  # updates as large as Adam's, so that one learning rate suits both
            muon_weight_dimension_numbers=lambda params: jax.tree.map(_as_matrix, params),
        ),
    }
    return optax.chain(optax.clip_by_global_norm(train.clip), rules[train.optimiser]())


def _as_matrix(leaf: Array) -> optax.contrib.MuonDimensionNumbers | None:
    return optax.contrib.MuonDimensionNumbers((0, 1, 2), 3) if leaf.ndim == 4 else None


def initial(train: Train, config: NetworkConfig | None = None) -> tuple[nnx.GraphDef, State]:
    """The network's definition and the training state before the first step; `config`: of another network."""
    definition, params = build(config or SIZES[train.size], kind=NETWORKS[train.compute], seed=train.seed)
    optimiser_state = jax.jit(optimiser(train).init)(params)
    return definition, State(jnp.zeros((), int), params, params, optimiser_state, no_means(params))


def make_step(definition: nnx.GraphDef, train: Train) -> Callable[[State, Example], tuple[State, dict[str, Array]]]:
    """The step (state, batch) -> (state, metrics) for one device of the axis `sharding.AXIS`."""
    tx = optimiser(train)

    def loss(params: nnx.State, batch: Example) -> Array:
        network = nnx.merge(definition, params)
        carry = start(network.config, (*batch.clip.shape[:-4], *batch.clip.shape[-3:-1]))
        _, result = rollout(network, batch.observation, carry, project=project, unroll=train.unroll, remat=train.remat)
        return LOSSES[train.loss](result, batch.clip)

    def step(state: State, batch: Example) -> tuple[State, dict[str, Array]]:
        value, gradient = in_parts(jax.value_and_grad(loss), train.accumulate)(state.params, batch)
        value, gradient = mean_over_devices((value, gradient))
        gradient = centred(gradient, state.means)
        updates, opt = tx.update(gradient, state.optimiser, state.params)
        params = optax.apply_updates(state.params, uncentred(updates, state.means))
        decay = jnp.minimum(train.ema, (1 + state.step) / (10 + state.step))
        average = jax.tree.map(lambda a, p: a + (1 - decay) * (p - a), state.average, params)
        metrics = {"loss": value, "gradient_norm": optax.tree.norm(gradient)}
        return State(state.step + 1, params, average, opt, state.means), metrics

    return step


def mean_over_devices(tree):
    """The mean of a tree of arrays over the axis `sharding.AXIS`, by one collective operation.

    One, because the devices of a CPU share its threads: several operations at once can block all threads and deadlock.
    """
    flat, unravel = ravel_pytree(tree)
    return unravel(lax.pmean(flat, AXIS))


def in_parts(gradient_of: Callable, parts: int) -> Callable:
    """A function (params, batch) -> tree of means over the batch, computed on one part of the batch at a time."""
    if parts == 1:
        return gradient_of

    def accumulated(params: nnx.State, batch: Example):
        split = jax.tree.map(lambda leaf: leaf.reshape(parts, leaf.shape[0] // parts, *leaf.shape[1:]), batch)
        shapes = jax.eval_shape(gradient_of, params, jax.tree.map(lambda leaf: leaf[0], split))
        zeros = jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes)
        total, _ = lax.scan(lambda t, part: (jax.tree.map(jnp.add, t, gradient_of(params, part)), None), zeros, split)
        return jax.tree.map(lambda leaf: leaf / parts, total)

    return accumulated
