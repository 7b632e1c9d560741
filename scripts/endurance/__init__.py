"""The checks of `reliability.py`: clips, commands that are killed or whose disk gets full, damaged files."""
