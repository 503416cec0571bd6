"""run.py [NAME...]: one client does its worst to the real broker while another one works. Closes with `N passed, N failed`.

Without names all files `test_*.py` of this folder run; a name chooses one of them. It needs root for the cases with a small
disk.
"""

import os
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARENT = HERE.parent
sys.path[:0] = [str(HERE), str(PARENT), str(PARENT / "faults"), str(PARENT / "kill"), str(PARENT / "python")]

from suite import report  # noqa: E402


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
    os.environ.setdefault("RUST_BACKTRACE", "0")
    sys.exit(main(sys.argv[1:]))
