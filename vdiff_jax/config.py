"""Training configuration: TOML files and `--section.key value` overrides. Unknown keys and bad values are errors."""

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dacite

from vdiff_jax import tasks
from vdiff_jax.errors import ConfigError
from vdiff_jax.nn.network import SIZES


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data:
    """The training data.

    Attributes:
      frames: length of a training clip, in frames.
      patch: height and width of a training clip, in pixels.
      batch: clips in each training step, over all devices together.
      photos: share of the clips that are photographs in synthetic motion; the others are cut from videos.
      soft: share of the photographs that are blurred, so that they look out of focus.
      reduction: the factor by which videos are made smaller first, which removes their own noise.
      threads: threads that prepare clips.
      where: "host" makes clips on the processor; "device" keeps all footage in the memory of the accelerator, and makes
        them there.
      balance: evens out the kinds of shots, from 0 (not at all; the default) to 1 (all kinds equally often), for each
        of `PROPERTIES`.
    """

    frames: int = 5
    patch: int = 64
    batch: int = 4
    photos: float = 0.66
    soft: float = 0.4
    reduction: float = 2.0
    threads: int = 2
    where: str = "host"
    balance: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Train:
    """The network and its optimisation.

    Attributes:
      size: size of the network: "base", "fast", or "tiny" for tests.
      tasks: each task's share of the clips.
      loss: "psnr" (of R'G'B'), "psnr_y" (mostly of luma), "charbonnier" or "mse".
      optimiser: "muon" or "adam".
      steps: training steps; the learning rate falls along a cosine until the last one.
      unroll: frames over which gradients are back-propagated; must divide `data.frames`.
      learning_rate: peak of the learning rate.
      warmup: steps of its linear rise to the peak.
      final: share of the peak that is left at the end of the cosine.
      clip: upper limit of the gradient's global norm.
      ema: decay of the moving average of the parameters, which is what is evaluated and saved as weights.
      seed: seed of everything random.
      compute: dtype of the network's convolutions, "float32" or "bfloat16"; parameters and losses are float32.
      accumulate: parts into which each device splits its share of the batch: the same gradient in less memory.
      remat: computes activations again in the backward pass: less memory, slower.
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
    compute: str = "float32"
    accumulate: int = 1
    remat: bool = False
    log_every: int = 10
    evaluate_every: int = 50
    checkpoint_every: int = 200


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """The configuration of one training run."""

    data: Data = dataclasses.field(default_factory=Data)
    train: Train = dataclasses.field(default_factory=Train)


PROPERTIES = ("motion", "brightness", "texture", "length")
"""The properties of shots that `data.balance` can even out."""

FREE = {
    "data.threads",
    *(f"train.{name}" for name in ("steps", "accumulate", "remat", "log_every", "evaluate_every", "checkpoint_every")),
}
"""Values that may change when a run is resumed, because they do not affect what each step learns."""


def load(path: str | Path | None, overrides: dict[str, str] | None = None) -> Config:
    """The configuration in a TOML file, with overrides.

    Args:
      path: the file; `None`: default values.
      overrides: values that replace the file's, in TOML, such as {"train.steps": "2000"}.

    Raises:
      ConfigError: no such file, not TOML, an unknown key, a wrong type or a value out of range.
    """
    table: dict[str, Any] = {}
    lines: dict[str, int] = {}
    if path is not None:
        try:
            text = Path(path).read_text()
            table, lines = tomllib.loads(text), _lines(text)
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, or too many brackets
            raise ConfigError(f"{path}: {error}") from error
    places = {key: f"{path}, line {line}" for key, line in lines.items()}
    for key, text in (overrides or {}).items():
        section, _, name = key.rpartition(".")
        table.setdefault(section, {})[name] = _value(text)
        places[key] = "command line"
    return decode(table, str(path or "command line"), places)


def decode(table: dict[str, Any], origin: str, places: dict[str, str] | None = None) -> Config:
    """The configuration in a nested table.

    Args:
      table: the values by section and name.
      origin: where the table comes from, for error messages.
      places: where single values, such as "train.steps", come from (file and line), if known.

    Raises:
      ConfigError: an unknown key, a wrong type or a value out of range.
    """
    places = places or {}
    for key, message in _errors(table):
        raise ConfigError(f"{places.get(key, origin)}: {message}")
    return dacite.from_dict(Config, table, _STRICT)


def differences(old: Config, new: Config) -> list[str]:
    """The values that may not change when a run is resumed, and did: "train.seed was 0, is 1"."""
    before, after = _flat(old), _flat(new)
    return [
        f"{key} was {before[key]}, is {after[key]}" for key in before if before[key] != after[key] and key not in FREE
    ]


_LOSSES = ("charbonnier", "mse", "psnr", "psnr_y")
_STRICT = dacite.Config(strict=True, cast=[float])


def _flat(config: Config) -> dict[str, Any]:
    sections = dataclasses.asdict(config)
    return {f"{section}.{name}": value for section, values in sections.items() for name, value in values.items()}


def _value(text: str) -> Any:
    """A TOML value; text that is none is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _lines(text: str) -> dict[str, int]:
    """The number of the line of each section and key of a TOML file."""
    lines, section = {}, ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[([^\[\]]+)\]", line):
            section = header[1].strip()
            lines.setdefault(section, number)
        elif key := re.match(r"\s*([\w.-]+)\s*=", line):
            lines.setdefault(f"{section}.{key[1]}" if section else key[1], number)
    return lines


def _errors(table: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The errors in a table: their keys and messages."""
    yield from _unknown_keys(Config, table)
    try:
        config = dacite.from_dict(Config, table, _STRICT)
    except dacite.DaciteFieldError as error:
        yield error.field_path or "", str(error)
    except (dacite.DaciteError, ValueError, TypeError, OverflowError) as error:
        yield "", str(error)
    else:
        yield from ((message.split()[0], message) for message in _broken_rules(config))


def _unknown_keys(cls: type, table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    fields = {field.name: field.type for field in dataclasses.fields(cls)}
    for key, value in table.items():
        if key not in fields:
            nearest = difflib.get_close_matches(key, fields, n=1, cutoff=0)
            yield prefix + key, f"unknown key {prefix}{key}; the nearest one is {prefix}{nearest[0]}"
        elif dataclasses.is_dataclass(fields[key]) and isinstance(value, dict):
            yield from _unknown_keys(fields[key], value, f"{prefix}{key}.")


def _broken_rules(config: Config) -> Iterator[str]:
    """A message for each value that is out of range; it begins with the key."""
    data, train = config.data, config.train
    rules = {
        f"data.patch must be a multiple of 8 from 16, not {data.patch}": data.patch >= 16 and data.patch % 8 == 0,
        f"data.frames must be at least 1, not {data.frames}": data.frames >= 1,
        f"data.batch must be at least 1, not {data.batch}": data.batch >= 1,
        f"data.photos must be from 0 to 1, not {data.photos}": 0 <= data.photos <= 1,
        f"data.soft must be from 0 to 1, not {data.soft}": 0 <= data.soft <= 1,
        f"data.reduction must be at least 1, not {data.reduction}": data.reduction >= 1,
        f"data.threads must be at least 1, not {data.threads}": data.threads >= 1,
        f"data.where must be host or device, not {data.where}": data.where in ("host", "device"),
        f"data.balance must be some of {', '.join(PROPERTIES)}, not {', '.join(data.balance)}": set(data.balance)
        <= set(PROPERTIES),
        f"data.balance must give numbers from 0 to 1, not {data.balance}": all(
            0 <= s <= 1 for s in data.balance.values()
        ),
        f"train.accumulate must be at least 1, not {train.accumulate}": train.accumulate >= 1,
        f"train.compute must be float32 or bfloat16, not {train.compute}": train.compute in ("float32", "bfloat16"),
        f"train.ema must be from 0 to 1, not {train.ema}": 0 <= train.ema <= 1,
        f"train.clip must be positive, not {train.clip}": train.clip > 0,
        f"train.warmup must be at least 0, not {train.warmup}": train.warmup >= 0,
        f"train.final must be from 0 to 1, not {train.final}": 0 <= train.final <= 1,
        f"train.log_every must be at least 1, not {train.log_every}": train.log_every >= 1,
        f"train.evaluate_every must be at least 1, not {train.evaluate_every}": train.evaluate_every >= 1,
        f"train.checkpoint_every must be at least 1, not {train.checkpoint_every}": train.checkpoint_every >= 1,
        f"train.steps must be at least 1, not {train.steps}": train.steps >= 1,
        f"train.unroll must divide data.frames ({data.frames}), not {train.unroll}": train.unroll >= 1
        and data.frames % train.unroll == 0,
        f"train.size must be one of {', '.join(SIZES)}, not {train.size}": train.size in SIZES,
        f"train.tasks must be some of {', '.join(tasks.trained())}, not {', '.join(train.tasks)}": set(train.tasks)
        <= set(tasks.trained()),
        f"train.loss must be one of {', '.join(_LOSSES)}, not {train.loss}": train.loss in _LOSSES,
        f"train.optimiser must be muon or adam, not {train.optimiser}": train.optimiser in ("muon", "adam"),
        f"train.learning_rate must be positive, not {train.learning_rate}": train.learning_rate > 0,
        f"train.tasks must give positive shares, not {train.tasks}": bool(train.tasks)
        and all(share > 0 for share in train.tasks.values()),
    }
    yield from (message for message, holds in rules.items() if not holds)
