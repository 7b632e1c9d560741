"""What the command lines of the scripts share."""

import argparse


def new_parser(description: str) -> argparse.ArgumentParser:
    """A parser whose `--help` shows a script's docstring as it is written."""
    return argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)


def words(text: str) -> list[str]:
    """`a,b` as `["a", "b"]`."""
    return text.split(",")


def numbers(text: str) -> list[float]:
    """`10,2.5` as `[10.0, 2.5]`."""
    return [float(number) for number in text.split(",")]


def size(text: str) -> list[int]:
    """`640x360` as `[640, 360]`, width first."""
    width, height = text.split("x")
    return [int(width), int(height)]
