"""A write or sync that fails ends the process: nothing is confirmed any more, and nothing confirmed is lost (P17)."""

import itertools

from case import Case, subscribe
from trace import Trace, inversions
from wire import Refused

FAILED = 74
EXIT_NANOSECONDS = 1_000_000_000
BATCH = '"KJ'  # how a batch of the log begins
QUEUES = ["/queue/f0", "/queue/f1"]
# The k-th call of the journal's thread and all behind it; odd numbers, so that each hits another kind of moment.
POINTS = [
    *((f"fdatasync:error=EIO:when={k}+", "Input/output error") for k in (14, 17, 41, 120, 301)),
    *((f"pwrite64:error=EIO:when={k}+", "Input/output error") for k in (18, 77)),
    *((f"pwrite64:error=ENOSPC:when={k}+", "No space left on device") for k in (19, 55, 203)),
]


class FailingDisk(Case):
    """The data directory lives through all points; whatever is left of a point is drained before the next."""

    def setUp(self):
        super().setUp()
        self.numbers = itertools.count(1)
        self.confirmed, self.ack_tried, self.ack_confirmed = set(), set(), set()

    def test_a_failure_at_ten_moments_breaks_no_promise(self):
        self.prepare()
        for number, (inject, words) in enumerate(POINTS):
            with self.subTest(inject):
                self.fail_once(inject, words, self.folder / f"trace{number}")

    def fail_once(self, inject, words, path):
        trace = Trace(path, inject=inject)
        broker = self.broker(wrapper=trace.wrapper).start()
        pid, before = broker.process.pid, len(self.confirmed)
        workers = [self.start(self.publish, broker, client) for client in range(6)]
        workers += [self.start(self.consume, broker, queue) for queue in QUEUES]
        status = broker.end()
        for worker in workers:
            worker.join()
        self.assertEqual(status, FAILED, broker.output())
        said = [line for line in broker.output().splitlines() if line.startswith("kolejka: ")]
        self.assertEqual(len(said), 1, broker.output())
        self.assertIn(words, said[0])
        self.assertIn("journal", said[0])

        calls = trace.read(pid)
        failures = [call for call in calls if call.injected]
        self.assertTrue(failures, "nothing failed")
        self.assertLess(trace.exited - failures[0].ended, EXIT_NANOSECONDS)
        self.assertEqual(list(inversions(calls)), [])
        syncs = [call for call in calls if call.name == "fdatasync" and call.begun > failures[0].ended]
        self.assertEqual(syncs, [], "the journal went on after a failure")
        self.assertGreater(len(self.confirmed), before, "the load was too small to mean anything")
        self.check_what_is_left()

    def check_what_is_left(self):
        """Everything confirmed is there, nothing whose ACK was confirmed is."""
        with self.broker() as broker:
            left = {body.rstrip(b"\0") for queue in QUEUES for _, body in self.drain(broker, queue)}
            broker.stop()
        self.assertEqual(left & self.ack_confirmed, set())
        self.assertEqual(self.confirmed - self.ack_tried - left, set())
        self.ack_confirmed |= left
        self.ack_tried |= left

    def publish(self, broker, client, padding=b""):
        """Half of the clients wait for each receipt: what they send next finds nothing else of theirs under way."""
        try:
            wire = self.wire(broker, first_receipt=1 + client * 1_000_000)
            window = 1 if client % 2 else 16
            while True:
                while wire.unconfirmed < window:
                    key = b"%d" % next(self.numbers)
                    wire.put("SEND", {"destination": QUEUES[client // 2 % 2]}, key + padding, then=key)
                wire.flush()
                self.confirmed.update(then for _, _, then in wire.frames())
        except (ConnectionError, Refused):
            return  # the broker is gone

    def consume(self, broker, queue):
        try:
            wire = self.wire(broker, first_receipt=1 + (7 + QUEUES.index(queue)) * 1_000_000)
            subscribe(wire, queue, prefetch=8)
            while True:
                for command, headers, body in wire.frames():
                    key = body.rstrip(b"\0")
                    if command == "RECEIPT":
                        self.ack_confirmed.add(key)
                    else:
                        self.ack_tried.add(key)
                        wire.put("ACK", {"id": headers["ack"]}, then=key)
                wire.flush()
        except (ConnectionError, Refused):
            return  # the broker is gone

    def test_a_failure_while_segments_change_breaks_no_promise(self):
        self.prepare()
        # Counted by thread: the one that starts the broker makes fewer of these calls than that.
        for number, inject in enumerate(["fsync:error=EIO:when=8+", "rename:error=EIO:when=9+"]):
            with self.subTest(inject):
                calls = ("fsync", "rename", "fdatasync", "pwrite64")
                trace = Trace(self.folder / f"trace{number}", calls, inject, text_bytes=16)
                broker = self.broker(wrapper=trace.wrapper).start()
                pid = broker.process.pid
                workers = [self.start(self.publish, broker, client, bytes(300_000)) for client in range(4)]
                workers += [self.start(self.consume, broker, queue) for queue in QUEUES]
                status = broker.end(40)
                for worker in workers:
                    worker.join()
                self.assertEqual(status, FAILED, broker.output())
                calls = trace.read(pid)
                failure = next(call for call in calls if call.injected)
                self.assertLess(trace.exited - failure.ended, EXIT_NANOSECONDS)
                batches = [call for call in calls if call.name == "pwrite64" and BATCH in call.text]
                self.assertGreater(len(batches), 50)
                self.assertEqual([call for call in batches if call.begun > failure.ended], [])
                self.check_what_is_left()

    def test_a_failure_during_the_start_is_the_end_of_it(self):
        self.prepare()
        with self.broker() as broker:
            self.send(self.wire(broker), QUEUES[0], [b"kept"])
            broker.stop()
        for inject in ["fdatasync:error=EIO:when=2+", "pwrite64:error=ENOSPC:when=2+"]:
            with self.subTest(inject):
                status, said = self.broker(wrapper=Trace(self.folder / "trace", inject=inject).wrapper).refuse()
                self.assertEqual(status, FAILED, said)
                self.assertEqual(len(said.splitlines()), 1, said)
                self.assertIn("error" if "EIO" in inject else "space", said)
        with self.broker() as broker:
            self.assertEqual([body for _, body in self.drain(broker, QUEUES[0])], [b"kept"])
