"""run.py [NAME...]: breaks things around the real broker and looks at what it does. Closes with `N passed, N failed`.

Without names all files `test_*.py` of this folder run; a name chooses one of them. It needs root (a small file system
is mounted) and strace.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "kill"), str(HERE.parent / "python")]

from suite import run_folder  # noqa: E402


# Small segments: there is more than one of them after a second of work.
os.environ["KOLEJKA__LIMITS__SEGMENT"] = "16MiB"


if __name__ == "__main__":
    sys.exit(run_folder(HERE, sys.argv[1:]))
