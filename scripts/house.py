"""Measures the source code: length of files and functions, share of docstrings and annotations, modules without a test.

    python scripts/house.py

Prints a table for the package and the scripts, then the modules of the package that have no test. Exits with 1 if a
function of the package or the scripts is longer than 60 lines, a file longer than 300, or a module has no test.
"""

import argparse
import ast
import statistics
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

LONGEST_FUNCTION, LONGEST_FILE = 60, 300
"""Lines."""
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Length(NamedTuple):
    """The lines of a file or function, and where it is."""

    lines: int
    place: str


class Measures(NamedTuple):
    """What `measure` found in a folder."""

    files: list[Length]
    functions: list[Length]
    documented: list[bool]
    annotated: list[bool]


def main() -> int:
    """Prints the table; 1 if something is too long."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    package, scripts, tests = Path("vdiff_jax"), Path("scripts"), Path("tests")
    print("| folder | files | median, longest file | functions | median, longest function | docstrings | annotated |")
    print("|---|---|---|---|---|---|---|")
    measured = {folder: measure(folder) for folder in (package, scripts)}
    for folder, found in measured.items():
        print(table_row(folder, found))
    untested = modules_without_test(package, tests)
    print(f"Modules of {package} without a test: {len(untested)}", *untested, sep="\n  ")
    messages = [message for found in measured.values() for message in too_long(found)]
    for message in messages:
        print(message, file=sys.stderr)
    return int(bool(messages or untested))


def measure(folder: Path) -> Measures:
    """Measures all Python files below a folder.

    Returns:
      The length of each file and of each function, with its decorators and docstring. For each public module, class and
      function, whether it has a docstring. For each argument but `self` and `cls`, whether it has an annotation.
    """
    found = Measures([], [], [], [])
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text()
        tree = ast.parse(text)
        found.files.append(Length(len(text.splitlines()), str(path)))
        found.documented.extend(ast.get_docstring(node) is not None for node in _public(tree))
        for node in (node for node in ast.walk(tree) if isinstance(node, DEFINITIONS)):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            found.functions.append(Length(node.end_lineno - first + 1, f"{path}:{first} {node.name}"))
            found.annotated.extend(argument.annotation is not None for argument in _arguments(node))
    return found


def _public(node: ast.AST) -> Iterator[ast.AST]:
    """A module or class, and the classes and functions in it whose names have no leading underscore."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.ClassDef, *DEFINITIONS)) and not child.name.startswith("_"):
            yield from _public(child) if isinstance(child, ast.ClassDef) else [child]


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    rest = [argument for argument in (node.args.vararg, node.args.kwarg) if argument]
    listed = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, *rest]
    return [argument for argument in listed if argument.arg not in ("self", "cls")]


def table_row(folder: Path, found: Measures) -> str:
    """A line of the table in Markdown."""
    cells = [str(folder)]
    for lengths in (found.files, found.functions):
        median = statistics.median(length.lines for length in lengths)
        cells += [str(len(lengths)), f"{median:g}, {max(lengths).lines} ({max(lengths).place})"]
    cells += [f"{statistics.mean(flags):.0%}" for flags in (found.documented, found.annotated)]
    return f"| {' | '.join(cells)} |"


def too_long(found: Measures) -> list[str]:
    """A message for each file and function over the limit."""
    limits = ((found.files, LONGEST_FILE), (found.functions, LONGEST_FUNCTION))
    return [
        f"{length.place} has {length.lines} lines, more than {limit}: split it"
        for lengths, limit in limits
        for length in lengths
        if length.lines > limit
    ]


def modules_without_test(package: Path, tests: Path) -> list[str]:
    """The files of a package that no test covers.

    A test covers `nn/conv.py` if it is called `nn/test_conv.py`, imports the module, or names it by that path. An
    `__init__.py` needs a test only if it holds more than a docstring.
    """
    texts = [path.read_text() for path in sorted(tests.rglob("*.py"))]
    imported = set(_imports(ast.parse(text) for text in texts))
    missing = []
    for path in sorted(package.rglob("*.py")):
        inside = path.relative_to(package)
        dotted = ".".join([package.name, *inside.with_suffix("").parts]).removesuffix(".__init__")
        empty = path.name == "__init__.py" and len(ast.parse(path.read_text()).body) < 2
        named = any(inside.as_posix() in text for text in texts)
        mirrored = (tests / inside.with_name(f"test_{path.name}")).exists()
        if not (empty or named or mirrored or dotted in imported):
            missing.append(str(path))
    return missing


def _imports(trees: Iterable[ast.Module]) -> Iterator[str]:
    """The dotted name of everything that is imported: modules, and what is taken from them."""
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


if __name__ == "__main__":
    sys.exit(main())
