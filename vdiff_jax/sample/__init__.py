"""The sample clip: a few seconds of a flower (CC0), made noisy and scratched, and its clean original."""

from pathlib import Path

FOLDER = Path(__file__).parent
NOISY = FOLDER / "flower_noisy.mp4"
MASK = FOLDER / "flower_mask.mkv"
TRUTH = FOLDER / "flower.mp4"
