"""Clients that take too much or too long: each is stopped at a limit, and a good client beside them notices nothing."""

import itertools
import re
import socket
import time
from pathlib import Path

from broker import wait_until
from case import Case, settle, subscribe
from wire import Refused

PATIENCE_SECONDS = 0.5  # of the broker, where a test sets it
GOOD_SECONDS = 1.0  # the longest a good client may wait for a receipt


class Raw:
    """A socket without a client; `address` is where it comes from."""

    def __init__(self, port, address="127.0.0.1", send=b""):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(address, 0))
        self.socket.sendall(send)

    def all(self):
        """Everything up to the end of the connection."""
        come = b""
        try:
            while octets := self.socket.recv(1 << 16):
                come += octets
        except ConnectionResetError:
            pass  # an end as well
        return come


CONNECT = b"CONNECT\naccept-version:1.2\nhost:localhost\n\n\0"


class Limits(Case):
    def raw(self, broker, **options):
        one = Raw(broker.port, **options)
        self.addCleanup(one.socket.close)
        return one

    def connected(self, broker, address="127.0.0.1"):
        one = self.raw(broker, address=address, send=CONNECT)
        self.assertTrue(one.socket.recv(4096).startswith(b"CONNECTED\n"))
        return one

    def good_client(self, broker, during):
        """Sends and takes, one at a time, while the other thread is at work; none of it may be slow."""
        wire, slowest = self.wire(broker), 0
        subscribe(wire, "/queue/good")
        for number in itertools.count():
            begun = time.monotonic()
            wire.put("SEND", {"destination": "/queue/good"}, b"%d" % number, then=number)
            wire.flush()
            _, headers, _ = next(frame for frame in iter(wire.frame, None) if frame[0] == "MESSAGE")
            wire.put("ACK", {"id": headers["ack"]}, then="ack")
            settle(wire)
            slowest = max(slowest, time.monotonic() - begun)
            if number > 10 and not during.is_alive():
                break
        during.join()
        self.assertLess(slowest, GOOD_SECONDS)

    # how many

    def test_connections_are_counted_by_address_and_in_all(self):
        config = self.config("[limits]\nconnections = 6\nconnections_per_address = 4\n")
        with self.broker(config=config) as broker:
            places = [self.connected(broker) for _ in range(4)]
            self.assertIn(b"limits.connections_per_address", self.raw(broker, send=CONNECT).all())
            places += [self.connected(broker, "127.0.0.2") for _ in range(2)]
            refused = self.raw(broker, address="127.0.0.3", send=CONNECT).all()
            self.assertTrue(refused.startswith(b"ERROR\n"), refused)
            self.assertIn(b"limits.connections", refused)
            places[0].socket.close()
            self.wait_for_a_place(broker)
            wait_until(lambda: "refused" in broker.output(), what="a line in the log")

    def wait_for_a_place(self, broker):
        """A place is free as soon as the broker has seen the other end go."""

        def enters():
            one = self.raw(broker, send=CONNECT)
            return one.socket.recv(4096).startswith(b"CONNECTED\n")

        wait_until(enters, what="a place")

    def test_strangers_are_few_and_must_hurry(self):
        config = self.config(f'[limits]\nunauthenticated = 3\nconnect_timeout = "{PATIENCE_SECONDS * 1000:.0f}ms"\n')
        with self.broker(config=config) as broker:
            inside = self.wire(broker)
            begun = time.monotonic()
            strangers = [self.raw(broker) for _ in range(3)]
            # One who logs in gets in, and the stranger that came first has to go.
            late = self.raw(broker, send=CONNECT)
            self.assertTrue(late.socket.recv(4096).startswith(b"CONNECTED\n"))
            self.assertEqual(strangers.pop(0).all(), b"")
            for stranger in strangers:
                stranger.all()
            took = time.monotonic() - begun
            self.assertGreaterEqual(took, PATIENCE_SECONDS * 0.9)
            self.assertLess(took, PATIENCE_SECONDS + 2)
            self.send(inside, "/queue/inside", [b"unharmed"])
            self.wait_for_a_place(broker)

    def test_no_drip_of_octets_extends_the_time_to_connect(self):
        config = self.config(f'[limits]\nconnect_timeout = "{PATIENCE_SECONDS * 1000:.0f}ms"\n')
        with self.broker(config=config) as broker:
            for drip in [b"CONNECT\naccept-version:1.2\nhost:" + b"x" * 200, b"\n" * 200, b"GET /ws HTTP/1.1\r\n" * 10]:
                with self.subTest(drip[:8]):
                    begun = time.monotonic()
                    self.drip(self.raw(broker), drip)
                    self.assertLess(time.monotonic() - begun, PATIENCE_SECONDS + 2)

    def drip(self, one, octets):
        """Sends an octet whenever nothing has come for a moment; returns at the end of the connection."""
        one.socket.settimeout(0.05)
        for octet in octets:
            try:
                one.socket.sendall(bytes([octet]))
                if one.socket.recv(4096) == b"":
                    return
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                return
        self.fail("it listened to the last drop")

    def test_what_strangers_do_is_counted_in_the_log_and_not_repeated(self):
        with self.broker() as broker:
            for _ in range(300):
                for words in [b"", b"SUBSCRIBE\nid:1\n\n\0", b"POST / HTTP/1.1\r\n\r\n"]:
                    one = self.raw(broker, send=words)
                    if words:
                        one.all()
                    one.socket.close()
            broker.stop()
            lines = [line for line in broker.output().splitlines() if "INFO" in line or "WARN" in line]
            self.assertLess(len(lines), 15, lines)
            self.assertEqual(sum("count=299" in line for line in lines), 3, lines)

    # how slow

    def test_a_consumer_that_reads_nothing_is_closed_and_its_messages_go_to_another(self):
        with self.broker(config=self.config('[limits]\nwrite_timeout = "1s"\n')) as broker:
            deaf = self.wire(broker, receive_bytes=4096)
            subscribe(deaf, "/queue/stall", prefetch=1000)
            bodies = [b"%03d" % number + b"x" * 100_000 for number in range(100)]
            self.send(self.wire(broker), "/queue/stall", bodies, window=8)
            other = self.start(self.take_over, broker, bodies)
            self.good_client(broker, other)
            self.assertIn("the peer reads nothing", broker.output())

    def take_over(self, broker, bodies):
        taken = self.take(self.wire(broker), "/queue/stall", len(bodies))
        self.assertEqual(sorted(body for _, body in taken), bodies)
        self.assertTrue(any(headers.get("redelivered") == "true" for headers, _ in taken))

    def test_a_flood_of_receipts_that_nobody_reads_is_bounded(self):
        with self.broker(config=self.config('[limits]\nwrite_timeout = "1s"\n')) as broker:
            before = self.memory(broker)
            flood = self.start(self.flood, broker)
            self.good_client(broker, flood)
            self.assertLess(self.memory(broker) - before, 32 << 20)

    def flood(self, broker):
        """A million small frames with receipts, or as many as the broker takes before it has had enough."""
        one = self.raw(broker, send=CONNECT)
        frames = b"".join(b"BEGIN\ntransaction:t\nreceipt:%d\n\n\0ABORT\ntransaction:t\n\n\0" % n for n in range(1000))
        with self.assertRaises(ConnectionError):
            for _ in range(1000):
                one.socket.sendall(frames)

    def memory(self, broker):
        """Octets of the process in memory."""
        text = Path(f"/proc/{broker.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) << 10

    def test_a_slow_subscriber_is_told_to_go_and_the_others_get_everything(self):
        with self.broker(config=self.config("[limits]\ntopic_pending.messages = 100\n")) as broker:
            slow = self.wire(broker, receive_bytes=4096)
            subscribe(slow, "/topic/news", ack="auto", prefetch=10)
            self.read = [None] * 3
            fast = [self.start(self.read_news, self.wire(broker), place) for place in range(3)]
            wait_until(lambda: None not in self.read, what="three subscribers")
            publisher = self.wire(broker)
            for number in range(2000):
                publisher.put("SEND", {"destination": "/topic/news"}, b"%d" % number + b"x" * 10_000, then=number)
                if number % 50 == 49:
                    settle(publisher)
                    wait_until(lambda: min(self.read) == number + 1, what="what the fast ones read")
            for reader in fast:
                reader.join()
            self.assertEqual(self.error_of(slow)["code"], "slow-consumer")

    def read_news(self, wire, place):
        wire.put("SUBSCRIBE", {"destination": "/topic/news", "id": "s"}, then="listens")
        settle(wire)
        self.read[place] = 0
        for number in range(2000):
            _, _, body = wire.frame()
            self.assertEqual(body.split(b"x")[0], b"%d" % number)
            self.read[place] += 1

    # how many files

    def test_without_descriptors_nothing_spins_and_the_journal_goes_on(self):
        with self.broker(wrapper=["prlimit", "--nofile=64:64"]) as broker:
            inside = self.wire(broker)
            crowd = [self.raw(broker, send=CONNECT) for _ in range(150)]
            begun, work = time.monotonic(), self.processor_seconds(broker)
            # Segments come and go meanwhile: each needs descriptors.
            bodies = [b"%03d" % number + b"x" * (1 << 20) for number in range(50)]
            for body in bodies:
                self.send(inside, "/queue/inside", [body])
                self.assertEqual([taken for _, taken in self.take(inside, "/queue/inside", 1)], [body])
            wait_until(lambda: time.monotonic() - begun > 1.5, what="time to spin in")
            share = (self.processor_seconds(broker) - work) / (time.monotonic() - begun)
            self.assertLess(share, 0.7, "of a core, with next to nothing to do")
            for one in crowd:
                one.socket.close()
            self.wait_for_a_place(broker)
            self.assertIsNone(broker.process.poll())

    def processor_seconds(self, broker):
        fields = Path(f"/proc/{broker.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def test_a_refusal_says_why_to_every_kind_of_client(self):
        with self.broker(config=self.config("[limits]\nconnections = 1\n")) as broker:
            with self.assertRaises(Refused) as refused:
                self.wire(broker)
                self.wire(broker)
            self.assertIn("too many connections", refused.exception.headers["message"])
            request = b"GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n"
            self.assertTrue(self.raw(broker, send=request).all().startswith(b"HTTP/1.1 503 "))
