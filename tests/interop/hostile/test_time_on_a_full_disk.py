"""What comes due while the disk has no room: it waits, over restarts too, and happens when there is room (P16)."""

import subprocess
import time

from attack import Attack
from case import run, settle, subscribe
from wire import Refused, Wire

BODY_BYTES = 256 * 1024


class TimeOnAFullDisk(Attack):
    def setUp(self):
        super().setUp()
        disk = self.folder / "disk"
        disk.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=112m", "tmpfs", str(disk))
        self.addCleanup(run, "umount", str(disk))
        self.disk = disk
        config = '[limits]\nsegment = "16MiB"\ndisk_reserve = "16MiB"\nappend.bytes = "12MiB"\ndisk_wait = "200ms"\nprefetch.bytes = "64MiB"\n'
        self.options = {"config": self.config(config), "data": str(disk / "data")}

    def fill(self, broker):
        """Sends until the broker refuses; how many were confirmed."""
        wire, count = self.wire(broker), 0
        try:
            while True:
                wire.put("SEND", {"destination": "/queue/full"}, b"%06d" % count + b"x" * BODY_BYTES, then="sent")
                settle(wire)
                count += 1
        except Refused as refused:
            self.assertEqual(refused.headers["code"], "disk-full")
        return count

    def assert_lives_past(self, broker, moment):
        """The process is there when that moment is over, with nobody connected, and then answers."""
        with self.assertRaises(subprocess.TimeoutExpired, msg=broker.output()):
            broker.process.wait(max(moment - time.monotonic(), 0.01))
        wire = Wire(broker.port)
        wire.put("SEND", {"destination": "/queue/light", "persistent": "false"}, b"", then="sent")
        settle(wire)
        wire.close()

    def test_a_schedule_comes_due(self):
        with self.broker(**self.options) as broker:
            wire = self.wire(broker)
            later = {"destination": "/queue/later", "AMQ_SCHEDULED_DELAY": "4000"}
            again = {"destination": "/queue/again", "AMQ_SCHEDULED_DELAY": "4000", "AMQ_SCHEDULED_PERIOD": "1000", "AMQ_SCHEDULED_REPEAT": "-1"}
            wire.put("SEND", later, b"later", then="later")
            wire.put("SEND", again, b"again", then="again")
            settle(wire)
            due = time.monotonic() + 4
            count = self.fill(broker)
            self.assert_lives_past(broker, due + 1)
            for _ in range(2):
                broker.kill()
                broker.start()
                self.assert_lives_past(broker, time.monotonic() + 1)
            taken = self.take(self.wire(broker), "/queue/full", count)
            self.assertEqual([body[:6] for _, body in taken], [b"%06d" % number for number in range(count)])
            for queue in ("later", "again"):
                wire = self.wire(broker)
                subscribe(wire, f"/queue/{queue}", ack="auto")
                self.assertEqual(wire.frame()[2], queue.encode())
            broker.stop()

    def test_messages_expire_into_the_dead_letter_queue(self):
        with self.broker(**self.options) as broker:
            wire = self.wire(broker)
            for number in range(50):
                wire.put("SEND", {"destination": "/queue/short", "ttl": "3000"}, b"%d" % number, then="sent")
            settle(wire)
            end = time.monotonic() + 3
            count = self.fill(broker)
            self.assert_lives_past(broker, end + 0.5)
            broker.kill()
            broker.start()
            self.assertEqual(len(self.take(self.wire(broker), "/queue/full", count)), count)
            broker.stop()
