"""Training configuration: TOML files and `--section.key value` overrides, decoded strictly."""

import dataclasses
import difflib
import tomllib
from pathlib import Path
from typing import Any

import dacite

from vdiff_jax.errors import ConfigError
from vdiff_jax.nn.network import SIZES
from vdiff_jax.tasks import TASKS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data:
    """What is trained on.

    Attributes:
      frames: frames a training clip has.
      patch: height and width of a training clip, pixels.
      batch: clips a step, over all devices.
      photos: share of the clips that are photographs in synthetic motion, where the data holds both.
      reduction: by how much decoded videos are reduced before anything else, so that they are clean.
      threads: that prepare clips.
    """

    frames: int = 5
    patch: int = 64
    batch: int = 4
    photos: float = 0.66
    reduction: float = 2.0
    threads: int = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Train:
    """How it is trained.

    Attributes:
      size: the network, "base", "fast" or, for tests, "tiny".
      tasks: each task's share of the clips.
      loss: "charbonnier", "mse" or "psnr".
      optimiser: "muon" or "adam".
      steps: where the schedule ends.
      unroll: frames that gradients are followed back through; the state is carried on over the rest of a clip.
      learning_rate: at its highest.
      warmup: steps until it is reached.
      final: share of it that is left at the end of the cosine.
      clip: the gradient's greatest global norm.
      ema: decay of the average of the parameters that is kept.
      seed: of everything random.
      remat: computes activations again in the backward pass: slower, less memory.
      log_every: steps between two lines of metrics.
      evaluate_every: steps between two evaluations.
      checkpoint_every: steps between two checkpoints.
    """

    size: str = "fast"
    tasks: dict[str, float] = dataclasses.field(default_factory=lambda: {"denoise": 1.0})
    loss: str = "charbonnier"
    optimiser: str = "muon"
    steps: int = 2000
    unroll: int = 5
    learning_rate: float = 1e-3
    warmup: int = 50
    final: float = 0.02
    clip: float = 1.0
    ema: float = 0.999
    seed: int = 0
    remat: bool = False
    log_every: int = 10
    evaluate_every: int = 50
    checkpoint_every: int = 200


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """One training run."""

    data: Data = Data()
    train: Train = dataclasses.field(default_factory=Train)


def load(path: str | Path | None, overrides: dict[str, str] | None = None) -> Config:
    """The configuration of a TOML file with overrides such as {"train.steps": "2000"} laid over it.

    Raises:
      ConfigError: no such file, not TOML, an unknown key, a wrong type, a value out of range.
    """
    table: dict[str, Any] = {}
    if path is not None:
        try:
            table = tomllib.loads(Path(path).read_text())
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path}: {error}") from error
    for key, text in (overrides or {}).items():
        section, _, name = key.rpartition(".")
        table.setdefault(section, {})[name] = _value(text)
    return decode(table, str(path or "command line"))


def decode(table: dict[str, Any], origin: str) -> Config:
    """The configuration that a nested table stands for."""
    _check_keys(Config, table, origin)
    try:
        config = dacite.from_dict(Config, table, dacite.Config(strict=True, cast=[float]))
    except dacite.DaciteError as error:
        raise ConfigError(f"{origin}: {error}") from error
    _check_values(config, origin)
    return config


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _check_keys(cls: type, table: dict[str, Any], origin: str, prefix: str = "") -> None:
    fields = {field.name: field.type for field in dataclasses.fields(cls)}
    for key, value in table.items():
        if key not in fields:
            nearest = difflib.get_close_matches(key, fields, n=1, cutoff=0)
            raise ConfigError(f"{origin}: unknown key {prefix}{key}; the nearest one is {prefix}{nearest[0]}")
        if dataclasses.is_dataclass(fields[key]) and isinstance(value, dict):
            _check_keys(fields[key], value, origin, f"{prefix}{key}.")


def _check_values(config: Config, origin: str) -> None:
    data, train = config.data, config.train
    rules = {
        f"data.patch must be a positive multiple of 8, not {data.patch}": data.patch > 0 and data.patch % 8 == 0,
        f"data.frames must be at least 1, not {data.frames}": data.frames >= 1,
        f"data.batch must be at least 1, not {data.batch}": data.batch >= 1,
        f"data.photos must lie in 0 to 1, not {data.photos}": 0 <= data.photos <= 1,
        f"data.reduction must be at least 1, not {data.reduction}": data.reduction >= 1,
        f"train.steps must be at least 1, not {train.steps}": train.steps >= 1,
        f"train.unroll must divide data.frames ({data.frames}), not {train.unroll}": train.unroll >= 1
        and data.frames % train.unroll == 0,
        f"train.size must be one of {', '.join(SIZES)}, not {train.size}": train.size in SIZES,
        f"train.tasks must be some of {', '.join(TASKS)}, not {', '.join(train.tasks)}": set(train.tasks) <= set(TASKS),
        f"train.loss must be charbonnier, mse or psnr, not {train.loss}": train.loss in ("charbonnier", "mse", "psnr"),
        f"train.optimiser must be muon or adam, not {train.optimiser}": train.optimiser in ("muon", "adam"),
        f"train.learning_rate must be positive, not {train.learning_rate}": train.learning_rate > 0,
        f"train.tasks must give positive shares, not {train.tasks}": bool(train.tasks)
        and all(share > 0 for share in train.tasks.values()),
    }
    for message, holds in rules.items():
        if not holds:
            raise ConfigError(f"{origin}: {message}")
