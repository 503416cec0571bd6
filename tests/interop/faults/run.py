"""run.py [NAME...]: breaks things around the real broker and looks at what it does. Closes with `N passed, N failed`.

Without names all files `test_*.py` of this folder run; a name chooses one of them. It needs root (a small file system
is mounted) and strace.
"""

import os
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "kill"), str(HERE.parent / "python")]

from suite import report  # noqa: E402


# Small segments: there is more than one of them after a second of work.
os.environ["KOLEJKA__LIMITS__SEGMENT"] = "16MiB"


def main(names):
    files = sorted(path.name for path in HERE.glob("test_*.py"))
    chosen = [f"test_{name}.py" for name in names] or files
    unknown = set(chosen) - set(files)
    if unknown:
        sys.exit(f"no such file: {', '.join(sorted(unknown))}; there are {', '.join(files)}")
    loader, suite = unittest.defaultTestLoader, unittest.TestSuite()
    for name in chosen:
        suite.addTests(loader.discover(str(HERE), pattern=name))
    return report(suite)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
