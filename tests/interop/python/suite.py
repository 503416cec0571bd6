"""suite.py FILE: runs the tests of one file of this folder and closes with `N passed, N failed`."""

import faulthandler
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
HANG_SECONDS = 300


class Lines(unittest.TextTestResult):
    """One line per test, like the other suites."""

    def addSuccess(self, test):
        unittest.TestResult.addSuccess(self, test)
        print(f"ok    {type(test).__name__}: {test._testMethodName[5:].replace('_', ' ')}", flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        print(f"FAIL  {type(test).__name__}: {test._testMethodName}", flush=True)

    def addError(self, test, err):
        super().addError(test, err)
        print(f"FAIL  {type(test).__name__}: {test._testMethodName}", flush=True)


def report(suite):
    """Runs the tests, prints a line for each and the counts; the exit status."""
    faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
    result = unittest.TextTestRunner(stream=sys.stdout, resultclass=Lines, verbosity=0).run(suite)
    troubles = [test for test, _ in result.failures + result.errors]
    failed = len({getattr(test, "test_case", test).id() for test in troubles})
    print(f"{max(result.testsRun - failed, 0)} passed, {failed} failed", flush=True)
    return 0 if failed == 0 and result.testsRun else 1


def run_folder(folder, names):
    """Runs all files `test_*.py` of a folder, or those that are named without `test_` and `.py`; the exit status."""
    files = sorted(path.name for path in folder.glob("test_*.py"))
    chosen = [f"test_{name}.py" for name in names] or files
    unknown = set(chosen) - set(files)
    if unknown:
        sys.exit(f"no such file: {', '.join(sorted(unknown))}; there are {', '.join(files)}")
    loader, suite = unittest.defaultTestLoader, unittest.TestSuite()
    for name in chosen:
        suite.addTests(loader.discover(str(folder), pattern=name))
    return report(suite)


if __name__ == "__main__":
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    sys.exit(report(unittest.defaultTestLoader.discover(str(HERE), pattern=sys.argv[1])))
