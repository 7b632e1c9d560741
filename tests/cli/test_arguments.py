"""The arguments of every command, and what `--help` says (cli/repair_options.py, cli/output_options.py)."""

import argparse
import subprocess
import sys
from fractions import Fraction

import pytest

import vdiff_jax
from vdiff_jax.cli.arguments import build_parser
from vdiff_jax.compression.codec import CODECS
from vdiff_jax.compression.settings import DEFAULT_WEIGHTS
from vdiff_jax.media.encoder_defaults import DEFAULT_OPTIONS


def commands() -> dict[str, argparse.ArgumentParser]:
    subparsers = next(a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return subparsers.choices


def help_of(command: str, option: str) -> str:
    return next(a.help for a in commands()[command]._actions if option in a.option_strings)


OPTIONS = [
    pytest.param(action, id=f"{name} {action.option_strings[0]}")
    for name, parser in commands().items()
    for action in parser._actions
    if action.option_strings and not action.required and action.dest != "help"
]


@pytest.mark.parametrize("action", OPTIONS)
def test_the_help_of_an_option_names_its_default(action):
    _, default, named = action.help.partition("default")
    assert default
    if action.default not in (None, False, ()):
        assert str(action.default) in named


def test_every_argument_and_command_has_help():
    assert {"repair", "stitch", "compress", "decompress", "choose", "compare", "export", "serve"} == commands().keys()
    assert all(action.help for parser in commands().values() for action in parser._actions)


def test_the_defaults_in_the_help_are_those_of_the_encoders():
    crf, preset = help_of("repair", "--crf"), help_of("repair", "--preset")
    assert f"{DEFAULT_OPTIONS['libx264']['crf']} for libx264" in crf
    assert all(DEFAULT_OPTIONS[encoder]["crf"] in crf for encoder in ("libx265", "libsvtav1", "libvpx-vp9"))
    for encoder in ("libx264", "libx265", "libsvtav1"):
        assert f"{DEFAULT_OPTIONS[encoder]['preset']} for {encoder}" in preset
    for name, codec in CODECS.items():
        assert f"{name} {codec.crf:g}" in help_of("compress", "--crf")
    assert f"{CODECS['h264'].preset} for h264 and hevc, {CODECS['av1'].preset} for av1" in help_of(
        "compress", "--preset"
    )
    assert CODECS["h264"].preset == CODECS["hevc"].preset
    assert f"default: {DEFAULT_WEIGHTS}" in help_of("compress", "--weights")


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        ("repair -o out.mp4 --fps 60000/1001", "fps", Fraction(60000, 1001)),
        ("repair -o out.mp4 --scale 1.5", "scale", Fraction(3, 2)),
        ("repair -o out.mp4 --size 1920x1080", "size", (1920, 1080)),
        ("repair -o out.mp4 --from 1.5", "start", 1.5),
        ("repair -o out.mp4 --to 0:01:30", "stop", 90),
        ("repair -o out.mp4 --crf 18", "crf", 18),
        ("repair -o out.mp4 --reference 0:a.png b.png", "reference", ["0:a.png", "b.png"]),
        ("compress in.mp4 -o out.mkv --bitrate 500k", "bitrate", 500_000),
        ("compress in.mp4 -o out.mkv --bitrate 2M", "bitrate", 2_000_000),
        ("compress in.mp4 -o out.mkv --bitrate 96000", "bitrate", 96_000),
    ],
)
def test_values_are_parsed(arguments, name, value):
    assert getattr(build_parser().parse_args(arguments.split()), name) == value


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("repair", "required: -o/--output"),
        ("repair -o out.mp4 --task sharpen", "invalid choice: 'sharpen'"),
        ("repair -o out.mp4 --fps 1/0", "1/0 is not a number"),
        ("repair -o out.mp4 --size 1920", "1920 is not a size"),
        ("repair -o out.mp4 --crf 64", "64 is out of range"),
        ("repair -o out.mp4 --grow -1", "-1 is out of range"),
        ("repair -o out.mp4 --sigma 300", "300 is out of range"),
        ("repair -o out.mp4 --quality fast --weights base", "not allowed with argument"),
        ("repair -o out.mp4 -y -n", "not allowed with argument"),
        ("compress in.mp4 -o out.mkv --bitrate fast", "fast is not a bitrate"),
        ("compress in.mp4 -o out.mkv --crf 30 --bitrate 1M", "not allowed with argument --crf"),
        ("stitch -o out.mp4", "required: IN"),
    ],
)
def test_wrong_usage_exits_with_2(capsys, arguments, message):
    with pytest.raises(SystemExit) as exit_:
        build_parser().parse_args(arguments.split())
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("program", ["vdiff_jax", "vdiff_jax.infer"])
def test_the_package_and_the_module_are_the_same_program(program):
    """`python -m vdiff_jax` is __main__.py; the version comes from runtime/version.py."""
    done = subprocess.run([sys.executable, "-m", program, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"vdiff_jax {vdiff_jax.__version__}\n"


def test_the_shell_completes_commands_and_options(capsys):
    with pytest.raises(SystemExit):
        build_parser().parse_args(["--print-completion", "bash"])
    script = capsys.readouterr().out
    assert all(command in script for command in commands())
    assert all(part in script for part in ("--target-vmaf", "(fast base best)", "_shtab_compgen_files"))


def test_help_imports_nothing_slow():
    program = (
        "import sys\nfrom vdiff_jax import infer\n"
        "try:\n    infer.main(['repair', '--help'])\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "--reference" in run.stdout
    assert {"jax", "numpy", "scipy", "cv2", "av", "PIL", "tqdm"}.isdisjoint(run.stderr.split())


def test_a_file_whose_name_begins_with_a_dash_is_recognised(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-a.mp4").touch()
    with pytest.raises(SystemExit):
        build_parser().parse_args(["repair", "-a.mp4", "-o", "out.mp4"])
    assert "-a.mp4; pass ./-a.mp4 if the file is meant" in capsys.readouterr().err
