"""Drives the page of `vdiff serve` in headless Chromium as a user would, and takes screenshots.

    pip install '.[browser]'
    python scripts/drive_page.py --shots shots/

It uploads a clip, paints a mask, repairs, stops a run, compares, downloads, then stitches, compresses and compares, in
light and dark and at phone width; it tries bad input and a password, closes a browser during a job, and fails where the
page does not do what it should. Chromium itself is not downloaded: the system's is used.
"""

import tempfile
from pathlib import Path

from benchmarking.arguments import new_parser

SCENES = ("repair", "paint", "stop", "tabs", "mistakes", "leave", "command")


def main() -> None:
    """Runs all scenes and prints a line for each."""
    parser = new_parser(__doc__)
    parser.add_argument("--shots", type=Path, default=Path("shots"), help="folder for screenshots (default: shots)")
    parser.add_argument("--browser", default="/usr/bin/chromium", help="the program (default: /usr/bin/chromium)")
    parser.add_argument("--scenes", nargs="+", choices=SCENES, default=SCENES, help="what to do (default: all)")
    options = parser.parse_args()

    from driving import scenes
    from playwright.sync_api import sync_playwright

    from vdiff_jax.serve.server import launched

    options.shots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="drive-") as folder, sync_playwright() as playwright:
        clips = scenes.make_clips(Path(folder))
        browser = playwright.chromium.launch(executable_path=options.browser, args=["--no-sandbox"])
        served = Path(folder) / "served"
        served.mkdir()
        with launched(served, "127.0.0.1", scenes.free_port(), largest_upload=3 << 20) as address:
            for name in options.scenes:
                getattr(scenes, name)(scenes.Stage(browser, address, clips, options.shots, served))
                print(f"{name}: as it should be", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
