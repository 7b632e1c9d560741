"""Trained weights, in safetensors files whose metadata names the network's architecture."""

import contextlib
import dataclasses
import functools
import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from vdiff_jax.diffusion.step import input_channels
from vdiff_jax.errors import WeightsError
from vdiff_jax.nn.network import Network, NetworkConfig
from vdiff_jax.postprocess.residual_filter import Coefficients, WienerModel

FORMAT = "vdiff_jax 1"
EARLIER = "earlier"
"""The key of the metadata with the identities of earlier files with the same network, in JSON."""
FOLDER = Path(__file__).parent
_LARGEST = 4096
"""The largest number in a network's architecture; a damaged file may claim any."""


@functools.cache
def shipped() -> tuple[str, ...]:
    """The names of the weights in the package."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.safetensors")))


def for_task(weights: str, *tasks: str) -> str:
    """The weights tuned for a task, such as `base-superres`: of the first task that has any, or else `weights`."""
    tuned = (name for task in tasks if (name := f"{weights}-{task}") in shipped())
    return next(tuned, weights)


class Weights(NamedTuple):
    """What a file of weights holds.

    Attributes:
      definition, params: of the network.
      about: the file's metadata.
      wiener_model: the Wiener step's coefficients for this network's results, if the file has them.
      wiener_of_both: those for the mean of its results in both directions.
    """

    definition: nnx.GraphDef
    params: nnx.State
    about: dict[str, str]
    wiener_model: WienerModel | None = None
    wiener_of_both: WienerModel | None = None

    @property
    def config(self) -> NetworkConfig:
        """The network's architecture."""
        return nnx.merge(self.definition, self.params).config


def load(weights: str | Path) -> Weights:
    """Weights from the package or from a file.

    Args:
      weights: the name of weights in the package, or a file.

    Raises:
      WeightsError: no such file, or it is damaged or holds another architecture.
    """
    return _read(str(weights), _find(weights).stat().st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _read(weights: str, modified: int) -> Weights:
    """The weights of a file that was last modified at this time."""
    with _opened(weights) as (file, about):
        tensors = {current_name(name): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    config = _config_of(about, weights)
    definition, params = nnx.split(nnx.eval_shape(lambda: Network(config, inputs=input_channels(config))))
    models = [_model_of(tensors, name) for name in _MODELS]
    return Weights(definition, _filled(params, tensors, weights), about, *models)


def identity(weights: str | Path) -> bytes:
    """The first 8 bytes of a weights file's SHA-256, by which compressed files name the weights they need.

    Raises:
      WeightsError: no such file.
    """
    return hashlib.sha256(_find(weights).read_bytes()).digest()[:8]


def identities(weights: str | Path) -> frozenset[bytes]:
    """The identity of a weights file, and those of earlier files with the same network.

    Raises:
      WeightsError: no such file, or it is damaged or has another format.
    """
    with _opened(weights) as (_, about):
        earlier = _json_of(about, EARLIER, list, weights)
    try:
        return frozenset({identity(weights), *map(bytes.fromhex, earlier)})
    except (ValueError, TypeError) as error:
        raise _damaged(EARLIER, weights) from error


def trained_tasks(weights: str | Path) -> frozenset[str]:
    """The tasks that weights were trained on; none if the file does not say.

    Raises:
      WeightsError: no such file, or it is damaged or has another format.
    """
    with _opened(weights) as (_, about):
        train = _json_of(about, "config", dict, weights).get("train", {})
    tasks = train.get("tasks", {}) if isinstance(train, dict) else None
    if not isinstance(tasks, dict):
        raise _damaged("config", weights)
    return frozenset(tasks)


def _config_of(about: dict[str, str], weights: str | Path) -> NetworkConfig:
    fields = _json_of(about, "network", dict, weights)
    if not isinstance(widths := fields.get("widths"), list):
        raise _damaged("network", weights)
    for part in ("encoder", "decoder"):
        fields[part] = _blocks_of(fields.get(part), widths, weights)
    fields["features"] = fields.get("features") or []
    features = fields["features"] or widths
    levels = [*(fields.get(name) for name in ("widths", "encoder", "decoder", "reach")), features]
    known = {field.name for field in dataclasses.fields(NetworkConfig)}
    whole = all(isinstance(level, list) and len(level) == len(widths) for level in levels)
    steps, cell, leak = fields.get("steps", 1), fields.get("cell", 2), fields.get("leak", 0.0)
    numbers = [*widths, *levels[3], *levels[4], *itertools.chain(*levels[1], *levels[2]), steps, cell] if whole else []
    if not numbers or set(fields) - known or not all(type(n) is int and 0 <= n <= _LARGEST for n in numbers):
        raise _damaged("network", weights)
    valid = type(leak) is float and 0 <= leak <= 1 and type(fields.get("bilinear", False)) is bool
    if not steps or not valid or any(n > width for n, width in zip(features, widths)):
        raise _damaged("network", weights)
    if cell.bit_count() != 1:  # blocks of pixels divide the grid of the optical flow, or are divided by it
        raise _damaged("network", weights)
    return NetworkConfig(**{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()})


def _blocks_of(levels: Any, widths: list, weights: str | Path) -> list[tuple]:
    """The channels inside the residual blocks of each level. Earlier files have the number of blocks instead."""
    if not isinstance(levels, list) or len(levels) != len(widths):
        raise _damaged("network", weights)
    if any(type(n) is int and not 0 <= n <= _LARGEST for n in levels):
        raise _damaged("network", weights)
    found = [[width] * level if type(level) is int else level for level, width in zip(levels, widths)]
    if not all(isinstance(level, list) for level in found):
        raise _damaged("network", weights)
    return [tuple(level) for level in found]


def _json_of(about: dict[str, str], key: str, kind: type, weights: str | Path) -> Any:
    """The list or object in a value of the metadata; an empty one if there is none."""
    try:
        value = json.loads(about[key]) if key in about else kind()
    except (ValueError, RecursionError) as error:
        raise _damaged(key, weights) from error
    if not isinstance(value, kind):
        raise _damaged(key, weights)
    return value


def _damaged(key: str, weights: str | Path) -> WeightsError:
    return WeightsError(
        f"{weights} is damaged: its metadata has no valid {key}: train the weights again, or pass others"
    )


def save(
    path: Path,
    config: NetworkConfig,
    params: nnx.State,
    about: dict[str, str],
    *models: WienerModel | None,
) -> None:
    """Writes parameters to a safetensors file, whole or not at all.

    Args:
      path: the file.
      config: the network's size.
      params: its parameters.
      about: metadata, in JSON: the `config` and `step` of the training run.
      models: the Wiener step's coefficients, and those for the mean of both directions.
    """
    tensors = {_key(path): np.asarray(leaf[...], np.float32) for path, leaf in nnx.to_flat_state(params)}
    metadata = {**about, "format": FORMAT, "network": json.dumps(dataclasses.asdict(config))}
    partial = path.with_suffix(".part")
    for name, model in zip(_MODELS, models):
        tensors |= _tensors_of(model, name)
    save_file(tensors, partial, metadata)
    partial.chmod(0o644)
    partial.replace(path)


_MODELS = "wiener", "wiener_of_both"
"""What the names of the tensors of both models of the Wiener step begin with."""


def _tensors_of(model: WienerModel | None, name: str) -> dict[str, np.ndarray]:
    if model is None:
        return {}
    parts = {"errors": model.errors}
    for kind, found in (("stored", model.stored), ("rgb", model.rgb)):
        parts |= {f"{kind}.{field}": part for field, part in found._asdict().items()}
    # Safetensors writes an array's memory, whatever its order: a transposed array would come back mixed up.
    return {f"{name}.{part}": np.ascontiguousarray(tensor, np.float32) for part, tensor in parts.items()}


def _model_of(tensors: dict[str, np.ndarray], name: str) -> WienerModel | None:
    """The inverse of `_tensors_of`; removes what it uses from the tensors."""
    own = {key: tensors.pop(key) for key in sorted(tensors) if key.startswith(f"{name}.")}
    if not own:
        return None
    stored, rgb = (
        Coefficients(*(own[f"{name}.{kind}.{field}"] for field in Coefficients._fields)) for kind in ("stored", "rgb")
    )
    return WienerModel(own[f"{name}.errors"], stored, rgb)


@contextlib.contextmanager
def _opened(weights: str | Path) -> Iterator[tuple[safe_open, dict[str, str]]]:
    """A file of weights, and its metadata."""
    path = _find(weights)
    try:
        with safe_open(path, framework="numpy") as file:
            about = file.metadata() or {}
            if about.get("format") != FORMAT:
                raise WeightsError(
                    f"{weights} has the format {about.get('format')!r}; this version reads {FORMAT!r}: "
                    "pass weights that were trained by this version"
                )
            yield file, about
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{weights} is not a readable safetensors file ({error})") from error


def _find(weights: str | Path) -> Path:
    path = FOLDER / f"{weights}.safetensors" if str(weights) in shipped() else Path(weights)
    if not path.is_file():
        raise WeightsError(f"no weights {weights}: pass {', '.join(shipped())}, or the path of a file")
    return path


def current_name(name: str) -> str:
    """A parameter's name today, from its name in a file: the layers `enlarge` were called `spread` once."""
    return re.sub(r"^spread\.", "enlarge.", name)


def _key(path: tuple[str | int, ...]) -> str:
    """A parameter's name in the file."""
    return ".".join(map(str, path))


def _filled(params: nnx.State, tensors: dict[str, np.ndarray], name: str) -> nnx.State:
    """The parameters with the values of a file's tensors."""
    flat = nnx.to_flat_state(params)
    expected = {_key(path): leaf.shape for path, leaf in flat}
    found = {key: tensor.shape for key, tensor in tensors.items()}
    if expected != found:
        wrong = sorted(k for k in expected.keys() | found.keys() if expected.get(k) != found.get(k))[0]
        shapes = f"{wrong} has the shape {found.get(wrong)}, not {expected.get(wrong)}"
        raise WeightsError(f"{name} holds another architecture than its metadata says: {shapes}")
    arrays = jax.device_put(tensors)  # which, unlike jnp.asarray, compiles nothing for each shape
    return nnx.from_flat_state([(path, leaf.replace(arrays[_key(path)])) for path, leaf in flat])
