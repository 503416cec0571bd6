"""run.py [NAME...]: the broker at some size, judged by what it uses. Closes with `N passed, N failed`.

Without names all files `test_*.py` of this folder run; a name chooses one of them. Environment variables raise the sizes,
each is named in its file.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / name) for name in ["", "kill", "faults", "python"])]

from suite import run_folder  # noqa: E402

if __name__ == "__main__":
    sys.exit(run_folder(HERE, sys.argv[1:]))
