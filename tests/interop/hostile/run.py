"""run.py [NAME...]: one client does its worst to the real broker while another one works. Closes with `N passed, N failed`.

Without names all files `test_*.py` of this folder run; a name chooses one of them. It needs root for the cases with a small
disk.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARENT = HERE.parent
sys.path[:0] = [str(HERE), str(PARENT), str(PARENT / "faults"), str(PARENT / "kill"), str(PARENT / "python")]

from suite import run_folder  # noqa: E402


if __name__ == "__main__":
    os.environ.setdefault("RUST_BACKTRACE", "0")
    sys.exit(run_folder(HERE, sys.argv[1:]))
