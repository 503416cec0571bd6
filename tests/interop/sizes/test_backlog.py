"""A backlog, and very many messages that one consumer holds, in a process whose memory has a limit.

`SIZES_BACKLOG` is the number of messages of 1 KiB, 200,000 by default.
"""

import os

from case import Case, settle, subscribe
from process import MemoryGroup, resident

MESSAGES = int(os.environ.get("SIZES_BACKLOG", "200000"))
BODY = b"b" * 1024
GROUP_BYTES = 256 << 20
# At rest, tables and buffers on the way; then what a queued message costs, and one that is held.
# What one consumer may hold by default is less; a subscription holds no more than that number.
HOLDING = '[limits]\nunacked.messages = 1000000\nunacked.bytes = "16GiB"\nprefetch.bytes = "1GiB"\n'
PREFETCH = 10000
REST_BYTES, QUEUED_BYTES, HELD_BYTES = 64 << 20, 80, 400


class Backlog(Case):
    def group(self):
        """The wrapper of a broker in a memory group; says so where there can be none."""
        group = MemoryGroup(GROUP_BYTES)
        if not group.folder:
            print("NO MEMORY GROUP: control groups cannot be made here; only what is resident is looked at", flush=True)
            return []
        self.addCleanup(group.close)
        return group.wrapper

    def fill(self, broker, queue):
        wire = self.wire(broker, timeout=60)
        for number in range(MESSAGES):
            wire.put("SEND", {"destination": queue}, BODY, then="sent" if number % 500 == 499 else None)
            if number % 500 == 499:
                wire.flush()
                if wire.unconfirmed > 4:
                    wire.frames()
        settle(wire)
        wire.close()

    def test_a_backlog_is_filled_found_again_and_drained_in_little_memory(self):
        broker = self.broker(wrapper=self.group()).start()
        self.fill(broker, "/queue/backlog")
        self.assertLess(resident(broker, "VmHWM"), REST_BYTES + MESSAGES * QUEUED_BYTES)
        broker.kill()
        broker.start()
        self.assertLess(resident(broker, "VmHWM"), REST_BYTES + MESSAGES * QUEUED_BYTES)
        self.assertEqual(self.count(broker, "/queue/backlog", MESSAGES), MESSAGES)
        self.assertLess(resident(broker, "VmHWM"), REST_BYTES + MESSAGES * QUEUED_BYTES)
        broker.stop()

    def test_what_one_consumer_holds_of_it(self):
        broker = self.broker(wrapper=self.group(), config=self.config(HOLDING)).start()
        self.fill(broker, "/queue/held")
        wire = self.wire(broker, timeout=60)
        names = [f"s{number}" for number in range(-(-MESSAGES // PREFETCH))]
        for name in names:
            subscribe(wire, "/queue/held", prefetch=PREFETCH, name=name)
        held = 0
        while held < MESSAGES:
            held += sum(command == "MESSAGE" for command, _, _ in wire.frames())
        self.assertLess(resident(broker, "VmHWM"), REST_BYTES + MESSAGES * (QUEUED_BYTES + HELD_BYTES))
        wire.close()
        self.assertEqual(self.count(broker, "/queue/held", MESSAGES), MESSAGES)
        broker.stop()

    def count(self, broker, queue, most):
        """Takes that many, acknowledged now and then for all before, the last one with a receipt."""
        wire = self.wire(broker, timeout=60)
        subscribe(wire, queue, ack="client", prefetch=2000)
        taken = 0
        while taken < most:
            for _, headers, body in wire.frames():
                self.assertEqual(len(body), len(BODY))
                taken += 1
                if taken % 500 == 0 or taken == most:
                    wire.put("ACK", {"id": headers["ack"]}, then="acked" if taken == most else None)
            wire.flush()
        settle(wire)
        wire.close()
        return taken
