#!/usr/bin/env bash
# Every check but the tests: format, lint, types, import layers and circles, lengths of files and functions; and the
# wheel is built, installed in a clean environment and run.
set -euo pipefail
cd "$(dirname "$0")/.."
ruff format --check .
ruff check .
pyright
lint-imports
(cd scripts && lint-imports)
python scripts/house.py
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python -m build --wheel --outdir "$folder" . > /dev/null
python -m venv "$folder/clean"
"$folder/clean/bin/pip" install --quiet "$folder"/*.whl
(cd "$folder" && clean/bin/python -m vdiff_jax.infer repair -o repaired.mp4 --report report.json)
"$folder/clean/bin/python" - "$folder/report.json" <<'PYTHON'
import json, sys
report = json.load(open(sys.argv[1]))
assert report["frames"] == 60, report
print("the wheel repaired its sample:", report["frames"], "frames,", report["seconds"]["total"], "s")
PYTHON
