#!/usr/bin/env bash
# Every check but the tests: format, lint, types, import layers, and the wheel built, installed alone and run.
set -euo pipefail
cd "$(dirname "$0")/.."
ruff format --check .
ruff check .
pyright
lint-imports
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
