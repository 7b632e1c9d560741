"""Parses the values of the command line's options; each function raises ArgumentTypeError with an example."""

import argparse
import math
import re
from collections.abc import Callable
from fractions import Fraction

_CLOCK = re.compile(r"(?:(?:(\d+):)?([0-5]?\d):)?(\d+(?:\.\d*)?|\.\d+)")


def number(text: str) -> Fraction:
    """Parses a number or a fraction."""
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise argparse.ArgumentTypeError(f"{text} is not a number: use one such as 2, 1.5 or 60000/1001") from error


def seconds(text: str) -> float:
    """Parses a time: seconds, MM:SS or HH:MM:SS, with a fraction or without."""
    match = _CLOCK.fullmatch(text.strip())
    clock = match is not None and match[2] is not None
    if match is None or (clock and float(match[3]) >= 60):
        raise argparse.ArgumentTypeError(f"{text} is not a time: use seconds, such as 90.5, or HH:MM:SS")
    return int(match[1] or 0) * 3600 + int(match[2] or 0) * 60 + float(match[3])


def bits(text: str) -> float:
    """Parses bits per second."""
    unit = {"k": 1e3, "m": 1e6, "g": 1e9}.get(text[-1:].lower(), 1)
    try:
        return float(text if unit == 1 else text[:-1]) * unit
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not a bitrate: use one such as 500k or 2M") from error


def memory(text: str) -> int:
    """Parses bytes, such as 2GB, 500MB or 1.5G."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) *([kmgt]?)i?b?", text.strip().lower())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text} is not a number of bytes: use one such as 2GB or 500MB")
    return int(float(match[1]) * 2 ** (10 * " kmgt".index(match[2] or " ")))


def size(text: str) -> tuple[int, int]:
    """Parses width and height."""
    width, by, height = text.partition("x")
    if not (by and width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text} is not a size: use one such as 1920x1080")
    return int(width), int(height)


def cluster(text: str) -> str:
    """Parses the address of a cluster."""
    if text != "auto" and not re.fullmatch(r"ray://[^/:\s]+:\d{1,5}", text):
        raise argparse.ArgumentTypeError(
            f"{text} is not a cluster: pass auto, or an address such as ray://10.0.0.2:10001"
        )
    return text


def within(low: float | int, high: float | int) -> Callable[[str], int | float]:
    """A function that parses a number from `low` to `high`; whole numbers become `int`, as some encoders require."""

    def parse(text: str) -> int | float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            fault = "is no number" if math.isnan(value) else "is out of range"
            raise argparse.ArgumentTypeError(f"{text} {fault}: pass a number from {low:g} to {high:g}")
        return int(value) if value.is_integer() else value

    return parse


def count(text: str) -> int:
    """Parses a whole number that is not negative."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is out of range: pass a whole number, 0 or more")
    return int(text)
