"""The pages: README's length, links, and every command in them, which is run on small files."""

import re
import shlex
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from vdiff_jax import infer, sample, train, weights
from vdiff_jax.cli.arguments import build_parser
from vdiff_jax.nn.network import SIZES
from vdiff_jax.training.step import build

ROOT = Path(__file__).parent.parent
PAGES = [path for path in sorted(ROOT.rglob("*.md")) if ".venv" not in path.parts]
VIDEOS = (".mp4", ".mkv")


def commands_of(page: Path, program: str) -> list[str]:
    """The commands in a page's code blocks, without their comments."""
    blocks = re.findall(r"```bash\n(.*?)```", page.read_text(), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.split(" #")[0].strip() for line in lines if line.startswith(f"{program} ")]


VDIFF = list(dict.fromkeys(command for page in PAGES for command in commands_of(page, "vdiff")))


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Small files with the names that the pages use, and tiny weights."""
    folder = tmp_path_factory.mktemp("pages")
    with av.open(str(sample.TRUTH)) as container:
        frames = [f.to_ndarray(format="rgb24") for f, _ in zip(container.decode(video=0), range(4))]
    clip = np.stack(frames)[:, 40:232]
    noisy = np.clip(clip + 15 * np.random.default_rng(0).normal(size=clip.shape), 0, 255).astype(np.uint8)
    names = {name for command in VDIFF for name in shlex.split(command) if name.endswith(VIDEOS)}
    for name in names:
        write(folder / name, noisy[:, :96, :128])
    for name, left in (("left", 0), ("mid", 110), ("right", 220), ("a", 0), ("b", 110)):
        write(folder / f"{name}.mp4", clip[:, :, left : left + 200])
    write(folder / "long.mp4", noisy[:, :96, :128], rate=Fraction(1, 4))  # 16 seconds
    write(folder / "grey.mp4", np.repeat(clip[:, :48, :64, 1:2], 3, axis=-1).repeat(31, axis=0)[:121])
    for name in ("small.mp4", "old.mp4", "dv.mkv"):  # they are enlarged
        write(folder / name, noisy[:, :48, :64])
    write(folder / "truth.mp4", clip[:, :96, :128])
    mask = np.zeros((96, 128), np.uint8)
    mask[20:30, 30:40] = 255
    write(folder / "scratches.mkv", np.broadcast_to(mask[..., None], (4, 96, 128, 3)))
    Image.fromarray(mask).save(folder / "logo.png")
    for name in ("a", "b"):
        Image.fromarray(clip[0, :48, :64]).save(folder / f"{name}.png")
    (folder / "videos").mkdir()
    write(folder / "videos" / "one.mkv", noisy[:, :96, :128])
    (folder / "runs/base").mkdir(parents=True)
    weights.save(folder / "runs/base/weights.safetensors", SIZES["tiny"], build(SIZES["tiny"])[1], {})
    return folder


def write(path: Path, clip: np.ndarray, *, rate: int | Fraction = 25) -> None:
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264" if path.suffix == ".mp4" else "ffv1", rate=rate)
        stream.width, stream.height, stream.pix_fmt = clip.shape[2], clip.shape[1], "yuv420p"
        if path.suffix == ".mp4":
            stream.options = {"crf": "4"}
        for picture in clip:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")))
        output.mux(stream.encode(None))


def test_readme_takes_three_minutes():
    assert len((ROOT / "README.md").read_bytes()) <= 8192


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)]+)\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link.split("#")[0]).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_scripts_that_are_named_exist_and_know_the_options(page):
    for script, options in re.findall(r"python (scripts/[a-z_]+\.py)([^`\n]*)", page.read_text()):
        sources = "\n".join(path.read_text() for path in (ROOT / "scripts").rglob("*.py"))
        assert (ROOT / script).exists(), script
        for option in set(re.findall(r" (--[\w-]+)", options)) - {"--help"}:
            assert f'"{option}"' in sources, f"{script} {option}"


def test_training_commands_are_valid():
    commands = [command for page in PAGES for command in commands_of(page, "python -m vdiff_jax.train")]
    assert len(commands) > 3
    for command in commands:
        train._parser().parse_known_args(shlex.split(command)[3:])


@pytest.mark.parametrize("command", VDIFF)
def test_commands_run(command, folder, monkeypatch):
    arguments = shlex.split(command)[1:]
    options = build_parser().parse_args(arguments)
    if "://" in command:  # of a bucket or a cluster, which a test has not: the command is only parsed
        return
    monkeypatch.chdir(folder)
    monkeypatch.setattr(weights, "_find", lambda name: folder / "runs/base/weights.safetensors")
    assert infer.main([*arguments, *(["-y"] if hasattr(options, "overwrite") else [])]) == 0
