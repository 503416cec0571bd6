"""State that every checkpoint would hold again: what is written stays in proportion to what is sent."""

import re

from attack import Attack
from case import settle

MIB = 1 << 20
# Small segments: what does not fit into one is made in seconds.
SMALL = '[limits]\nsegment = "16MiB"\nsubscriptions = 100000\n'


def written(broker):
    """Bytes that the process has handed to write calls, sockets included."""
    with open(f"/proc/{broker.process.pid}/io", encoding="ascii") as file:
        return int(re.search(r"wchar: (\d+)", file.read()).group(1))


class Checkpoints(Attack):
    def flood(self, broker, count, headers, body=b"m", step=500):
        wire = self.wire(broker, timeout=120)
        for first in range(0, count, step):
            for number in range(first, first + step):
                then = "sent" if number == first + step - 1 else None
                wire.put("SEND", headers(number), body, then=then)
            wire.flush()
            while wire.unconfirmed > 8:
                wire.frames()
        settle(wire)
        wire.close()

    def test_keys_to_lists_of_queues(self):
        with self.broker(config=self.config(SMALL)) as broker:
            names = ",".join(f"q{number}" for number in range(64))
            headers = lambda number: {"destination": f"/queue/{names}", "idempotency-key": f"{number:0250d}"}  # noqa: E731
            self.flood(broker, 2000, headers)
            self.assert_proportionate(broker)

    def test_durable_subscriptions_with_long_selectors(self):
        selector = "a = '" + "x" * 900 + "'"
        with self.broker(config=self.config(SMALL)) as broker:
            wire = self.wire(broker, timeout=120, login={"client-id": "many"})
            for number in range(20_000):
                headers = {"destination": "/topic/t", "id": str(number), "ack": "client-individual", "selector": selector}
                wire.put("SUBSCRIBE", {**headers, "activemq.subscriptionName": f"s{number}"})
                wire.put("UNSUBSCRIBE", {"id": str(number)}, then="made" if number % 100 == 99 else None)
                if number % 100 == 99:
                    wire.flush()
                    try:
                        while wire.unconfirmed > 4:
                            wire.frames()
                    except Exception as refused:  # a quota is a good answer, too
                        self.assertIn("limits.", str(refused))
                        break
            wire.close()
            self.assert_proportionate(broker)

    def test_messages_with_a_time_to_live(self):
        with self.broker(config=self.config(SMALL)) as broker:
            self.flood(broker, 800_000, lambda _: {"destination": "/queue/a", "ttl": "864000000"})
            self.assert_proportionate(broker)

    def assert_proportionate(self, broker):
        """40 MiB of ordinary messages, taken at once, are written with at most the same again on top, twice over."""
        before = written(broker)
        wire = self.wire(broker, timeout=120)
        for _ in range(40):
            self.send(wire, "/queue/plain", [b"p" * 65536] * 16, window=8)
            self.take(self.wire(broker, timeout=120), "/queue/plain", 16)
        # Received, journalled, delivered and acknowledged: three times the bytes through write calls is what it costs.
        self.assertLess(written(broker) - before, 40 * MIB * 6)
        self.assert_starts_again(broker)
