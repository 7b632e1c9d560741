"""The package runs where modules of POSIX are missing, as on Windows."""

import subprocess
import sys

PROGRAM = """
import importlib, pkgutil, sys, unittest.mock
sys.modules["gradio"] = unittest.mock.MagicMock()  # it asks for the system's name before it imports termios
for name in ("resource", "fcntl", "termios", "pwd", "grp", "tty", "pty", "syslog", "readline"):
    sys.modules[name] = None
import vdiff_jax
for module in pkgutil.walk_packages(vdiff_jax.__path__, "vdiff_jax."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
assert "ray" not in sys.modules  # it is imported for a cluster alone
from vdiff_jax import infer
sys.exit(infer.main(sys.argv[1:]))
"""


def test_every_module_is_imported_and_a_video_is_repaired_without_posix(tmp_path, sample_clips):
    arguments = ["repair", str(sample_clips / "truth.mkv"), "-o", str(tmp_path / "out.mkv"), "--sigma", "0"]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.mkv").stat().st_size > 1000
