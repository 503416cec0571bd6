"""Runs a program of `examples/` as a user would, and waits for what it must print."""

import os
import queue
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 20


class Program:
    """A program that runs until it has printed what it must; ended by its process id."""

    def __init__(self, *command, port, cwd=None, **environment):
        self.command = [str(part) for part in command]
        self._process = subprocess.Popen(
            self.command,
            env={**os.environ, "KOLEJKA_PORT": str(port), "PYTHONUNBUFFERED": "1", **environment},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines = queue.Queue()
        self._seen = []
        threading.Thread(target=self._follow, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        """SIGKILL to its process id; what it printed before can still be read."""
        self._process.kill()
        self._process.wait()

    def prints(self, *expected):
        """The next lines are these, in this order."""
        for line in expected:
            came = self._next(time.monotonic() + PATIENCE_SECONDS)
            assert came == line, f"{self._name()} printed {came!r} where {line!r} is due; before: {self._seen}"
        return self

    def prints_like(self, pattern):
        """The next line is all of the pattern; what matched is left in `found`."""
        line = self._next(time.monotonic() + PATIENCE_SECONDS)
        self.found = re.fullmatch(pattern, line or "")
        assert self.found, f"{self._name()} printed {line!r} where {pattern} is due; before: {self._seen}"
        return self

    def prints_somewhere(self, expected):
        """This line comes, with others before it."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (line := self._next(end)) != expected:
            assert line is not None, f"{self._name()} ended without {expected!r}: {self._seen}"
        return self

    def ends(self):
        """It ends by itself and well, without printing more."""
        status = self._process.wait(PATIENCE_SECONDS)
        rest = self._next(time.monotonic() + PATIENCE_SECONDS)
        assert status == 0 and rest is None, f"{self._name()}: status {status}, printed {rest!r} after {self._seen}"

    def rest(self):
        """What it prints until it ends."""
        lines, end = [], time.monotonic() + PATIENCE_SECONDS
        while (line := self._next(end)) is not None:
            lines.append(line)
        return lines

    def _next(self, end):
        """The next line, None at the end of the output."""
        try:
            line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            raise AssertionError(f"{self._name()} printed nothing more after {self._seen}") from None
        self._seen.append(line)
        return line

    def _follow(self):
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def _name(self):
        return " ".join(Path(part).name for part in self.command)


# Whatever PHP has to say about a program, it says in its output, where nothing but the expected lines may stand.
PHP = ["php", "-d", "error_reporting=-1", "-d", "display_errors=1"]


def example(script, *arguments, port, **environment):
    """A program of `examples/`, by its path there."""
    runs = PHP if script.endswith(".php") else [sys.executable]
    return Program(*runs, ROOT / "examples" / script, *arguments, port=port, **environment)


def php(script, port):
    return example(f"php/{script}", port=port)


def python(script, port):
    return example(f"python/{script}", port=port)


def rust(name, *arguments, port):
    return Program(ROOT / "target" / "debug" / name, *arguments, port=port)
