"""The broker as a child process, for tests that talk to the real binary.

It listens on a free loopback port, which is read from what the binary prints; it is ended by its process id and by
nothing else. This file must not know STOMP.
"""

import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 20
STOP_SECONDS = 15


class BrokerError(Exception):
    """The binary did not do what its command line promises; the text holds what it wrote."""


class Broker:
    """One data directory and, between `start` and `stop` or `kill`, one process that serves it."""

    def __init__(self, data=None, config=None, wrapper=(), listen=True):
        """With `wrapper`, a command that becomes the binary; without `listen`, the listeners of the configuration."""
        self.binary = os.environ.get("KOLEJKA_BIN", str(ROOT / "target" / "release" / "kolejka"))
        self._own = tempfile.TemporaryDirectory(prefix="kolejka-") if data is None else None
        self.data = data or str(Path(self._own.name) / "data")
        self.config, self.wrapper, self.listen = config, list(wrapper), listen
        self.port = None
        self.process = None
        self._lines = []

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the process if there is one, and forgets data that was only for this test."""
        self.kill()
        if self._own:
            self._own.cleanup()

    def start(self):
        """Starts the process and returns when it says that it is ready, with `port` set."""
        self._lines, self.port = [], None
        ready = threading.Event()
        self.process = subprocess.Popen(
            self.command(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "NO_COLOR": "1"},
        )
        self._follower = threading.Thread(target=self._follow, args=(self.process.stdout, self._lines, ready), daemon=True)
        self._follower.start()
        if not ready.wait(READY_SECONDS) or self.port is None:
            self.kill()
            raise BrokerError(f"not ready after {READY_SECONDS} s:\n{self.output()}")
        return self

    def command(self):
        """What is run."""
        command = [*self.wrapper, self.binary, "--data", self.data]
        if self.listen:
            command += ["--listen", "127.0.0.1:0"]
        if self.config:
            command += ["--config", str(self.config)]
        return command

    def refuse(self):
        """Starts a process that must end by itself before it is ready: its exit status and what it said."""
        done = subprocess.run(
            self.command(), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=READY_SECONDS, check=False, env={**os.environ, "NO_COLOR": "1"},
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def end(self, seconds=STOP_SECONDS):
        """Waits for the process to end by itself: its exit status, negative for a signal."""
        status = self.process.wait(seconds)
        self.process = None
        self._follower.join(seconds)
        return status

    def stop(self):
        """SIGTERM; the broker must drain and exit with 0."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise BrokerError(f"still running {STOP_SECONDS} s after SIGTERM:\n{self.output()}") from None
        self.process = None
        if status != 0:
            raise BrokerError(f"exit status {status} after SIGTERM:\n{self.output()}")

    def kill(self):
        """SIGKILL, the way a power cut ends a process. Does nothing when none runs."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def output(self):
        """The last lines that the process wrote to either stream."""
        return "".join(self._lines[-40:])

    def environment(self):
        """What the suites of every language read to find this broker."""
        return {
            "KOLEJKA_BIN": self.binary,
            "KOLEJKA_HOST": "127.0.0.1",
            "KOLEJKA_PORT": str(self.port),
            "KOLEJKA_WS": f"ws://127.0.0.1:{self.port}/ws",
        }

    def _follow(self, stream, lines, ready):
        for line in stream:
            lines.append(line)
            listening = re.match(r"\s*stomp\s+\S+:(\d+)\b", line)
            if listening and self.port is None:
                self.port = int(listening.group(1))
            if line.lstrip().startswith("ready in"):
                ready.set()
        ready.set()  # the process ended; `start` sees that no port is known or that connecting fails


def wait_until(condition, seconds=10, what="condition"):
    """Waits for something another process does; gives up loudly."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true in {seconds} s")
        time.sleep(0.01)
