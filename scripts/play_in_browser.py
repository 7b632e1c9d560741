"""Plays compressed files of each codec and container in headless Chromium, and prints which of them it plays.

    python scripts/play_in_browser.py
    python scripts/play_in_browser.py --browser google-chrome --files small.mp4

Debian's `chromium` decodes H.264 and AV1, not HEVC.
"""

import json
import re
import subprocess
import tempfile
from pathlib import Path

from benchmarking.arguments import new_parser

from vdiff_jax import sample
from vdiff_jax.compression import compress

PRESETS = {"h264": None, "hevc": "ultrafast", "av1": "10"}
_PAGE = """<body><pre id=out></pre><script>
const files = %s, out = {};
for (const file of files) {
  const video = document.createElement("video");
  out[file] = "nothing is shown";
  video.muted = true;
  video.onerror = () => { out[file] = "refused: " + video.error.message; show(); };
  video.ontimeupdate = () => {
    if (video.currentTime > 0.2 && video.videoWidth)
      out[file] = "plays " + video.videoWidth + "x" + video.videoHeight;
    show();
  };
  video.src = file;
  document.body.append(video);
  video.play().catch(() => {});
}
function show() { document.getElementById("out").textContent = JSON.stringify(out); }
show();
</script>"""


def main() -> None:
    """Compresses the sample clip and prints a line for each file."""
    parser = new_parser(__doc__)
    parser.add_argument("--browser", default="chromium", help="the program (default: chromium)")
    parser.add_argument("--files", type=Path, nargs="+", help="files to play (default: the sample clip, compressed)")
    parser.add_argument("--seconds", type=int, default=15, help="how long the browser has (default: 15)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="play-") as folder:
        files = options.files or [
            _compressed(Path(folder) / f"{codec}{ending}", codec) for codec in PRESETS for ending in (".mp4", ".mkv")
        ]
        for name, result in play(files, Path(folder), options.browser, options.seconds).items():
            print(f"{Path(name).name:10} {result}")


def _compressed(path: Path, codec: str) -> Path:
    compress(sample.TRUTH, path, codec=codec, preset=PRESETS[codec], adapt="none")
    return path


def play(files: list[Path], folder: Path, browser: str, seconds: int) -> dict[str, str]:
    """What the browser says of each file."""
    page = folder / "page.html"
    page.write_text(_PAGE % json.dumps([file.resolve().as_uri() for file in files]))
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    command += ["--autoplay-policy=no-user-gesture-required", "--allow-file-access-from-files"]
    command += [f"--timeout={1000 * seconds}", f"--virtual-time-budget={1000 * seconds}", "--dump-dom", page.as_uri()]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10 * seconds)
    found = re.search(r"<pre id=\"out\">(\{.*?\})</pre>", run.stdout)
    if found is None:
        raise RuntimeError(f"{browser} showed no page: {run.stderr.strip()[-500:]}")
    return json.loads(found[1].replace("&amp;", "&"))


if __name__ == "__main__":
    main()
