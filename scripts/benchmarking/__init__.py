"""What `benchmark.py` measures on: scenes, the damage done to them, and the scores of what was made of it."""
