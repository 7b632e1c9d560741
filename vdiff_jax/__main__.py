"""The command line: `python -m vdiff_jax`."""

import sys

from vdiff_jax.infer import main

if __name__ == "__main__":
    sys.exit(main())
