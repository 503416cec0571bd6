"""Very many connections: idle ones with heart-beats, and a storm of short ones.

`SIZES_IDLE` is the number of idle connections, 1,000 by default; `SIZES_STORM` that of the short ones, 5,000.
"""

import os
import resource
import selectors
import socket
import time

from broker import wait_until
from case import Case
from process import descriptors, processor_seconds, resident

IDLE = int(os.environ.get("SIZES_IDLE", "1000"))
STORM = int(os.environ.get("SIZES_STORM", "5000"))
CONFIG = "[limits]\nconnections = 100000\nconnections_per_address = 100000\nuser.connections = 100000\n"
CONNECT = b"CONNECT\naccept-version:1.2\nhost:localhost\nheart-beat:10000,10000\n\n\0"
IDLE_BYTES = 16 << 10
BEATS_SECONDS, BEAT_SECONDS = 10, 10
IDLE_SHARE = 0.03  # of a core, for a thousand connections


class Connections(Case):
    def setUp(self):
        super().setUp()
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    def connected(self, broker):
        one = socket.create_connection(("127.0.0.1", broker.port))
        one.sendall(CONNECT)
        return one

    def answered(self, one, command=b"CONNECTED"):
        one.settimeout(20)
        self.assertEqual(one.recv(4096).lstrip().split(b"\n")[0], command)

    def test_idle_ones_cost_little_memory_and_next_to_no_processor_time(self):
        with self.broker(config=self.config(CONFIG)) as broker:
            first = self.connected(broker)
            self.answered(first)
            before = resident(broker)
            idle = []
            for _ in range(IDLE // 50):
                some = [self.connected(broker) for _ in range(50)]
                for one in some:
                    self.answered(one)
                idle += some
            self.assertLess((resident(broker) - before) / IDLE, IDLE_BYTES)
            work, beats = processor_seconds(broker), self.stay(idle)
            self.assertGreaterEqual(beats, IDLE, "heart-beats of the broker")
            share = (processor_seconds(broker) - work) / BEATS_SECONDS
            self.assertLess(share, IDLE_SHARE * max(IDLE / 1000, 1))
            for one in [first, *idle]:
                one.close()
            wait_until(lambda: descriptors(broker) < 50, what="sockets closed")

    def stay(self, idle):
        """Sends a heart-beat on each connection over the time, and counts those that come."""
        waiting, beats = selectors.DefaultSelector(), 0
        for one in idle:
            waiting.register(one, selectors.EVENT_READ)
        begun, next_one = time.monotonic(), 0
        while (passed := time.monotonic() - begun) < BEATS_SECONDS:
            due = min(int(passed / BEAT_SECONDS * 2 * len(idle)), len(idle))
            for one in idle[next_one:due]:
                one.sendall(b"\n")
            next_one = max(due, next_one)
            for key, _ in waiting.select(0.05):
                data = key.fileobj.recv(4096)
                self.assertNotEqual(data, b"", "an idle connection was closed")
                beats += data.count(b"\n")
        waiting.close()
        return beats

    def test_a_storm_of_short_ones_leaves_nothing(self):
        with self.broker(config=self.config(CONFIG)) as broker:
            send = b"SEND\ndestination:/queue/storm\nreceipt:1\n\npage\0"
            rest = descriptors(broker)
            for number in range(STORM):
                one = self.connected(broker)
                self.answered(one, b"CONNECTED")
                one.sendall(send)
                if number % 2:
                    self.answered(one, b"RECEIPT")
                one.close()
            wait_until(lambda: descriptors(broker) <= rest + 5, what="descriptors given back")
            taken = self.drain(broker, "/queue/storm")
            self.assertGreaterEqual(len(taken), STORM // 2, "all that were confirmed")
            self.assertLessEqual(len(taken), STORM)
            broker.stop()
