"""A disk without room: messages wait, then are refused; taking them out goes on, and makes room again (P16)."""

import os
import signal
import time

from broker import wait_until
from case import Case, run, settle, subscribe
from wire import Refused

DISK = "112m"  # seven segments of 16 MiB
EXT4_BYTES = 128 << 20  # that and its own
BODY_BYTES = 256 * 1024
QUEUE = "/queue/full"


class DiskFull(Case):
    STEPS, BLOCKS_LEFT = (65536,), 0

    def setUp(self):
        super().setUp()
        disk = self.folder / "disk"
        disk.mkdir()
        self.mount(disk)
        self.addCleanup(run, "umount", str(disk))
        self.disk, self.number, self.confirmed = disk, 0, []

    def mount(self, disk):
        run("mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk))

    def small(self, wait):
        """A broker on the small disk."""
        config = self.config(f'[limits]\ndisk_reserve = "16MiB"\nappend.bytes = "12MiB"\ndisk_wait = "{wait}"\nprefetch.bytes = "64MiB"\n')
        return self.broker(config=config, data=str(self.disk / "data"))

    def body(self):
        self.number += 1
        return b"%06d" % self.number + os.urandom(BODY_BYTES)

    def put(self, wire, queue=QUEUE, headers=None):
        body = self.body()
        wire.put("SEND", {"destination": queue, **(headers or {})}, body, then=body[:6])

    def confirm(self, wire):
        """Takes what has come; the number of receipts."""
        come = [then for command, _, then in wire.frames() if command == "RECEIPT"]
        self.confirmed += come
        return len(come)

    def fill_until_refused(self, broker):
        """Sends until the ERROR: its headers, and how long the broker kept us waiting."""
        wire = self.wire(broker)
        last = time.monotonic()
        with self.assertRaises(Refused) as caught:
            while True:
                self.put(wire)
                wire.flush()
                while wire.unconfirmed > 2:
                    self.confirm(wire)
                    last = time.monotonic()
        return caught.exception.headers, time.monotonic() - last

    def fill_until_nothing_comes(self, broker):
        """Sends until receipts stop coming; the connection, whose last messages wait."""
        wire = self.wire(broker, timeout=1)
        with self.assertRaises(TimeoutError):
            while True:
                self.put(wire)
                wire.flush()
                while wire.unconfirmed > 2:
                    self.confirm(wire)
        wire.socket.settimeout(20)
        return wire

    def leave_nothing(self):
        """A file of somebody else takes all that is left."""
        for step in self.STEPS:
            with open(self.disk / "foreign", "ab", buffering=0) as file:
                try:
                    while file.write(b"\1" * step):
                        pass
                except OSError:
                    os.fsync(file.fileno())  # the error is what it is for; what was promised to it has blocks now
        space = os.statvfs(self.disk)
        self.assertLessEqual(space.f_bavail, self.BLOCKS_LEFT)

    def keys(self, taken):
        return [body[:6] for _, body in taken]

    def test_three_times_full_and_empty_without_a_restart(self):
        with self.small(wait="1s") as broker:
            for cycle in range(3):
                self.confirmed.clear()
                headers, waited = self.fill_until_refused(broker)
                self.assertEqual(headers["code"], "disk-full")
                self.assertIn("disk", headers["message"])
                self.assertGreaterEqual(waited, 0.9)
                # In the last there is what the foreign file has left, which may be less than a segment.
                self.assertGreater(len(self.confirmed), 40 if cycle < 2 else 0)
                if cycle == 1:
                    self.leave_nothing()
                taken = self.keys(self.take(self.wire(broker), QUEUE, len(self.confirmed)))
                self.assertEqual(taken, self.confirmed)
                self.send_again(broker)
            broker.stop()
        with self.small(wait="1s") as broker:
            self.assertIn("(clean)", broker.output())
            self.assertEqual(self.drain(broker, QUEUE), [])

    def send_again(self, broker):
        """Works without a restart, once what was taken has made room."""
        wire = self.wire(broker)
        self.put(wire)
        settle(wire)
        self.assertEqual(len(self.take(wire, QUEUE, 1)), 1)

    def test_what_waits_is_taken_when_a_consumer_makes_room(self):
        with self.small(wait="30s") as broker:
            wire = self.fill_until_nothing_comes(broker)
            waiting = wire.unconfirmed
            self.assertEqual(waiting, 3)
            self.leave_nothing()
            taken = self.keys(self.take(self.wire(broker), QUEUE, len(self.confirmed)))
            self.assertEqual(taken, self.confirmed)
            settle(wire)
            self.assertEqual(len(self.take(self.wire(broker), QUEUE, waiting)), waiting)

    def test_a_connection_that_waits_can_still_acknowledge_and_so_help_itself(self):
        with self.small(wait="30s") as broker:
            wire = self.fill_until_nothing_comes(broker)
            other = self.wire(broker)
            subscribe(other, QUEUE, prefetch=len(self.confirmed))
            held = [other.frame() for _ in self.confirmed]
            self.put(other)  # waits, and the ACKs come behind it
            for _, headers, body in held:
                other.put("ACK", {"id": headers["ack"]}, then=("ack", body[:6]))
            other.flush()
            order = []
            while other.unconfirmed:
                order += [then for command, _, then in other.frames() if command == "RECEIPT"]
            self.assertEqual(order[1:], [("ack", body[:6]) for _, _, body in held], "receipts in order, the SEND's first")
            settle(wire)

    def test_who_leaves_or_is_sent_away_while_messages_wait_gets_no_receipt_for_them(self):
        with self.small(wait="30s") as broker:
            leaving = self.fill_until_nothing_comes(broker)
            staying = self.wire(broker)
            self.put(staying)
            staying.flush()
            leaving.put("DISCONNECT", {}, then="goodbye")
            leaving.flush()
            with self.assertRaises(ConnectionError):
                raise AssertionError(f"a promise: {leaving.frame()}")
            begun = time.monotonic()
            broker.process.send_signal(signal.SIGTERM)
            self.assertEqual(self.error_of(staying)["code"], "shutting-down")
            staying.close()
            self.assertEqual(broker.end(), 0)
            self.assertLess(time.monotonic() - begun, 4)
        with self.small(wait="1s") as broker:
            self.assertEqual(self.keys(self.take(self.wire(broker), QUEUE, len(self.confirmed))), self.confirmed)

    def test_at_no_octet_free_all_but_new_messages_goes_on(self):
        with self.small(wait="1s") as broker:
            self.fill_until_refused(broker)
            self.leave_nothing()
            wire = self.wire(broker)
            bad, good = self.take(wire, QUEUE, 2, ack=False)
            wire.put("NACK", {"id": bad[0]["ack"], "requeue": "false"}, then="nack")
            wire.put("ACK", {"id": good[0]["ack"]}, then="ack")
            settle(wire)
            dead = self.take(self.wire(broker), "/queue/DLQ.full", 1)
            self.assertEqual(self.keys(dead), [bad[1][:6]])
            self.memory_only(broker)
            broker.kill()
        with self.small(wait="1s") as broker:
            left = self.keys(self.take(self.wire(broker), QUEUE, len(self.confirmed) - 2))
            self.assertEqual(left, [key for key in self.confirmed if key not in (bad[1][:6], good[1][:6])])
            wait_until(lambda: len(list((self.disk / "data").glob("spare-*"))) >= 3, what="room")
            self.send_again(broker)

    def memory_only(self, broker):
        """Messages that are not for the disk do not care."""
        wire = self.wire(broker)
        subscribe(wire, "/topic/news", ack="auto")
        wire.put("SEND", {"destination": "/topic/news"}, b"news", then="sent")
        wire.flush()
        self.assertEqual({frame[0] for frame in (wire.frame(), wire.frame())}, {"MESSAGE", "RECEIPT"})
        self.send(wire, "/queue/light", [b"light"], headers={"persistent": "false"})
        self.assertEqual(self.take(self.wire(broker), "/queue/light", 1)[0][1], b"light")


class DiskFullOnExt4(DiskFull):
    """The same on a file system with blocks and a journal of its own, which does not give away its last ones."""

    STEPS, BLOCKS_LEFT = (65536, 4096, 512), 64

    def mount(self, disk):
        image = self.folder / "disk.img"
        with image.open("wb") as file:
            file.truncate(EXT4_BYTES)
        run("mkfs.ext4", "-q", "-F", "-m", "0", str(image))
        run("mount", "-o", "loop", str(image), str(disk))
