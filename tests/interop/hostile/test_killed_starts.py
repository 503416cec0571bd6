"""A start that is killed while it writes: every later start opens the directory, with all that was confirmed (P12)."""

import subprocess
import time

from attack import Attack
from case import settle


class KilledStarts(Attack):
    def kill_starts(self, broker, delays):
        """Starts the broker and kills it after each of these times, in seconds, whatever it has got to."""
        for delay in delays:
            process = subprocess.Popen(broker.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                status = process.wait(delay)
                self.fail(f"a start ended by itself with {status}: {broker.refuse()[1]}")
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def test_a_tail_of_many_batches(self):
        bodies = [b"%06d" % number + b"x" * 1024 for number in range(40_000)]
        with self.broker() as broker:
            self.send(self.wire(broker, timeout=60), "/queue/tail", bodies, window=2000)
            broker.kill()
            # Opening takes about 100 ms here; the delays lie over all of it, and some beyond.
            self.kill_starts(broker, [0.010 + 0.004 * number for number in range(50)])
            broker.start()
            self.assertEqual([body for _, body in self.drain(broker, "/queue/tail")], bodies)

    def test_a_checkpoint_of_many_batches(self):
        with self.broker() as broker:
            wire = self.wire(broker, timeout=60)
            for _ in range(200_000 // 500):
                for _ in range(499):
                    wire.put("SEND", {"destination": "/queue/a", "ttl": "864000000"}, b"m" * 100)
                wire.put("SEND", {"destination": "/queue/a", "ttl": "864000000"}, b"m" * 100, then="sent")
                wire.flush()
            settle(wire)
            for number in range(8):
                self.load_until_killed(broker, 0.15 + 0.07 * number)
                broker.start()
            self.kill_starts_of(broker)
            broker.start()
            self.assert_serves(broker)
            broker.stop()

    def kill_starts_of(self, broker):
        broker.kill()
        self.kill_starts(broker, [0.02 + 0.02 * number for number in range(20)])

    def load_until_killed(self, broker, delay):
        """Messages that fill segments, until the process is killed amid them."""
        wire = self.wire(broker, timeout=60)
        end = time.monotonic() + delay
        while time.monotonic() < end:
            for _ in range(16):
                wire.put("SEND", {"destination": "/queue/load,/queue/load2"}, b"l" * 65536)
            wire.flush()
        broker.kill()
        wire.close()
