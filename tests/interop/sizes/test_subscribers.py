"""Fifty subscribers of a topic, ten of whom stop to read. `SIZES_TOPIC_MIB` is what is published, 100 by default."""

import os
import threading

from broker import wait_until
from case import Case, settle, subscribe
from process import resident

MIB = 1 << 20
PUBLISHED_MIB = int(os.environ.get("SIZES_TOPIC_MIB", "100"))
READERS, STOPPED = 40, 10
BODY = b"t" * (16 << 10)
MESSAGES = PUBLISHED_MIB * MIB // len(BODY)
# What topics keep for slow connections by default is bounded by the machine's memory; here by the configuration.
CONFIG = '[limits]\nmemory.total = "256MiB"\nwrite_timeout = "5s"\n'


class Subscribers(Case):
    def test_those_who_read_get_everything_and_those_who_do_not_are_sent_away(self):
        with self.broker(config=self.config(CONFIG)) as broker:
            stopped = [self.wire(broker, receive_bytes=4096) for _ in range(STOPPED)]
            for wire in stopped:
                subscribe(wire, "/topic/t", ack="auto", prefetch=100)
            self.counts = [None] * READERS
            readers = [self.start(self.read, self.wire(broker, timeout=60), place) for place in range(READERS)]
            wait_until(lambda: None not in self.counts, what="all subscriptions")
            before = resident(broker)
            self.publish(broker)
            for reader in readers:
                reader.join(120)
            self.assertEqual(self.counts, [MESSAGES] * READERS)
            self.assertLess(resident(broker, "VmHWM") - before, 256 * MIB)
            for wire in stopped:
                self.assert_gone(wire)

    def publish(self, broker):
        wire = self.wire(broker, timeout=60)
        for number in range(MESSAGES):
            wire.put("SEND", {"destination": "/topic/t"}, BODY, then=number)
            if wire.unconfirmed == 16:
                settle(wire)
                # No faster than those who read, or they are slow as well.
                wait_until(lambda: min(self.counts) + 200 > number, seconds=60, what="what the readers read")
        settle(wire)

    def read(self, wire, place):
        wire.put("SUBSCRIBE", {"destination": "/topic/t", "id": "s"}, then="listens")
        settle(wire)
        self.counts[place] = 0
        while self.counts[place] < MESSAGES:
            self.counts[place] += len(wire.frames())

    def assert_gone(self, wire):
        """What is left in the socket can be read; behind it the broker has closed."""
        done = threading.Event()

        def drain():
            try:
                while wire.socket.recv(MIB):
                    pass
            except OSError:
                pass
            done.set()

        threading.Thread(target=drain, daemon=True).start()
        self.assertTrue(done.wait(20), "a subscriber that read nothing is still connected")
