"""SIGTERM under load: a clean end within ten seconds that keeps every promise (P23)."""

import itertools
import signal
import subprocess
import time

from broker import wait_until
from case import Case, subscribe
from wire import Refused

STOPS = 10
STOP_SECONDS = 10
QUEUES = ["/queue/s0", "/queue/s1"]
HELD = 5


class StopUnderLoad(Case):
    """The same data directory through several lives; each ends by SIGTERM while everybody is at work."""

    def setUp(self):
        super().setUp()
        self.numbers = itertools.count(1)
        self.confirmed, self.ack_tried, self.ack_confirmed, self.codes = set(), set(), set(), []

    def test_a_stop_keeps_every_promise(self):
        config = self.config('[[policy]]\nmatch = "/queue/held"\nmax_deliveries = 2\n')
        with self.broker(config=config) as broker:
            self.send(self.wire(broker), "/queue/held", [b"held %d" % number for number in range(HELD)])
            broker.stop()
        for life in range(STOPS):
            self.one_life(config, life)
        with self.broker(config=config) as broker:
            left = [body for queue in QUEUES for _, body in self.drain(broker, queue)]
            self.assertEqual(len(left), len(set(left)))
            self.assertEqual(set(left) & self.ack_confirmed, set())
            self.assertEqual(self.confirmed - self.ack_tried - set(left), set())
            held = [body for _, body in self.drain(broker, "/queue/held")]
            self.assertEqual(held, [b"held %d" % number for number in range(HELD)])
            self.assertEqual(self.drain(broker, "/queue/DLQ.held"), [])

    def one_life(self, config, life):
        broker = self.broker(config=config).start()
        self.assertIn("(clean)", broker.output())
        before = len(self.confirmed), len(self.ack_confirmed)
        holder = self.wire(broker)
        self.take(holder, "/queue/held", HELD, ack=False)
        workers = [self.start(self.publish, broker, client) for client in range(4)]
        workers += [self.start(self.consume, broker, queue) for queue in QUEUES]
        workers += [self.start(self.flood, broker)]
        wait_until(lambda: len(self.ack_confirmed) >= before[1] + 100 * (life + 1), what="a load")
        begun = time.monotonic()
        broker.process.send_signal(signal.SIGTERM)
        status, took = broker.end(), time.monotonic() - begun
        for worker in workers:
            worker.join()
        self.assertEqual(status, 0, broker.output())
        self.assertLess(took, STOP_SECONDS)
        self.assertEqual(self.error_of(holder)["code"], "shutting-down")
        self.assertGreater(len(self.confirmed), before[0])

    def publish(self, broker, client):
        """Sends in windows of 16. Whatever the broker read before it stopped gets its receipt before the ERROR."""
        wire = self.wire(broker)
        try:
            while True:
                while wire.unconfirmed < 16:
                    body = b"%d" % next(self.numbers)
                    wire.put("SEND", {"destination": QUEUES[client % 2]}, body, then=body)
                wire.flush()
                self.confirmed.update(then for _, _, then in wire.frames())
        except Refused as error:
            self.assertEqual(error.headers["code"], "shutting-down")
        except ConnectionError:
            return  # a reset: it was still sending when the broker had left

    def consume(self, broker, queue):
        wire = self.wire(broker)
        try:
            subscribe(wire, queue, prefetch=50)
            while True:
                for command, headers, body in wire.frames():
                    if command == "RECEIPT":
                        self.ack_confirmed.add(body)
                    else:
                        self.assertNotIn(body, self.ack_confirmed, "came again after its ACK was confirmed")
                        self.ack_tried.add(body)
                        wire.put("ACK", {"id": headers["ack"]}, then=body)
                wire.flush()
        except Refused as error:
            self.assertEqual(error.headers["code"], "shutting-down")
        except ConnectionError:
            return  # a reset: it was still sending when the broker had left

    def flood(self, broker):
        """Sends without a pause and reads nothing."""
        wire = self.wire(broker)
        try:
            while True:
                for _ in range(100):
                    wire.put("SEND", {"destination": "/topic/nobody"}, b"x" * 200)
                wire.flush()
        except ConnectionError:
            return  # the broker is gone


class AStop(Case):
    def test_what_was_read_is_confirmed_before_the_error(self):
        with self.broker() as broker:
            wire = self.wire(broker)
            self.send(wire, "/queue/read", [b"first"])
            broker.process.send_signal(signal.SIGTERM)
            for number in range(200):
                wire.put("SEND", {"destination": "/queue/read"}, b"%d" % number, then=number)
            come = self.all_until_the_error(wire)
            self.assertEqual(broker.end(), 0)
        receipts = [then for command, _, then in come if command == "RECEIPT"]
        self.assertEqual(receipts, list(range(len(receipts))))
        with self.broker() as broker:
            left = [body for _, body in self.drain(broker, "/queue/read")]
            self.assertEqual(left[: 1 + len(receipts)], [b"first", *(b"%d" % number for number in receipts)])

    def all_until_the_error(self, wire):
        come = []
        with self.assertRaises((Refused, ConnectionError)) as caught:
            wire.flush()
            while True:
                come += wire.frames()
        if isinstance(caught.exception, Refused):
            self.assertEqual(caught.exception.headers["code"], "shutting-down")
        return come

    def test_nobody_can_connect_any_more_and_idle_clients_are_told(self):
        with self.broker() as broker:
            idle = [self.wire(broker) for _ in range(20)]
            broker.process.send_signal(signal.SIGTERM)
            for wire in idle:
                self.assertEqual(self.error_of(wire)["code"], "shutting-down")
            with self.assertRaises(OSError):
                self.wire(broker)
            for wire in idle:
                wire.close()
            self.assertEqual(broker.end(), 0)
        self.assert_clean_now()

    def test_a_client_that_reads_nothing_delays_it_within_bounds(self):
        with self.broker(config=self.config('[shutdown]\ntimeout = "2s"\n')) as broker:
            deaf = self.wire(broker, receive_bytes=4096)
            subscribe(deaf, "/queue/large", ack="auto")
            sender = self.wire(broker)
            self.send(sender, "/queue/large", [b"x" * 100_000 + b"%d" % number for number in range(100)], window=4)
            begun = time.monotonic()
            broker.process.send_signal(signal.SIGTERM)
            self.assertEqual(broker.end(), 0)
            self.assertLess(time.monotonic() - begun, 2)
        self.assert_clean_now()

    def test_a_second_sigterm_ends_it_at_once(self):
        with self.broker() as broker:
            wire = self.wire(broker)
            self.send(wire, "/queue/second", [b"kept"])
            broker.process.send_signal(signal.SIGTERM)
            self.error_of(wire)  # and our side stays open, so that the broker lingers
            with self.assertRaises(subprocess.TimeoutExpired):
                broker.process.wait(0.3)
            begun = time.monotonic()
            broker.process.send_signal(signal.SIGTERM)
            broker.end()
            self.assertLess(time.monotonic() - begun, 1)
        with self.broker() as broker:
            self.assertEqual([body for _, body in self.drain(broker, "/queue/second")], [b"kept"])

    def assert_clean_now(self):
        with self.broker() as broker:
            self.assertIn("(clean)", broker.output())
