"""No receipt leaves before the sync that covers its frame (P2), read from the system calls of the broker."""

import re
import unittest

from case import Case, settle, subscribe
from trace import Call, Trace, asked, inversions, receipts

CLIENTS, SENDS_EACH, WINDOW = 5, 400, 40


def tags(text):
    return [int(number) for number in re.findall(r"\[tag (\d+)\]", text)]


class ReceiptAfterSync(Case):
    def traced(self, work):
        """Lets clients work on a broker that is traced; its calls."""
        self.prepare()
        trace = Trace(self.folder / "trace")
        broker = self.broker(wrapper=trace.wrapper).start()
        pid = broker.process.pid
        work(broker)
        broker.stop()
        return trace.read(pid)

    def publish(self, broker, client):
        first = 1 + client * 100_000
        wire = self.wire(broker, first_receipt=first)
        for number in range(first, first + SENDS_EACH):
            wire.put("SEND", {"destination": f"/queue/t{client % 2}"}, b"[tag %d]" % number, then=number)
            if wire.unconfirmed >= WINDOW or client == 0:
                wire.flush()
                wire.frames()
        settle(wire)

    def test_two_thousand_sends_are_synced_before_their_receipts(self):
        def work(broker):
            threads = [self.start(self.publish, broker, client) for client in range(CLIENTS)]
            for thread in threads:
                thread.join()

        calls = self.traced(work)
        self.assertEqual(len(list(receipts(calls))), CLIENTS * SENDS_EACH)
        self.assertEqual(list(inversions(calls, tags)), [])
        self.assertEqual(list(inversions(calls)), [])

    def test_acks_nacks_and_commits_are_synced_before_their_receipts(self):
        def work(broker):
            wire = self.wire(broker)
            self.send(wire, "/queue/a", [b"%d" % number for number in range(60)])
            subscribe(wire, "/queue/a", prefetch=60)
            for number in range(60):
                ack = self.message(wire)[1]["ack"]
                if number % 3 == 0:
                    wire.put("NACK", {"id": ack, "requeue": "false"}, then="nack")
                elif number % 3 == 1:
                    wire.put("ACK", {"id": ack}, then="ack")
                else:
                    wire.put("BEGIN", {"transaction": "t"})
                    wire.put("SEND", {"destination": "/queue/b", "transaction": "t"}, b"moved")
                    wire.put("ACK", {"id": ack, "transaction": "t"})
                    wire.put("COMMIT", {"transaction": "t"}, then="commit")
                self.come.extend(settle(wire))

        self.come = []
        calls = self.traced(work)
        self.assertEqual(len(list(receipts(calls))), 120)
        self.assertEqual(list(inversions(calls)), [])

    def message(self, wire):
        return self.come.pop(0) if self.come else wire.frame()


class TheAlarm(unittest.TestCase):
    """What would be said of a broker that breaks the promise."""

    def calls(self, sync_begins, sync_result=0, receipt_at=40):
        return [
            Call("recvfrom", '16, "SEND\\nreceipt:7\\n\\n[tag 7]\\0"', 1, 2, 1, ""),
            Call("pwrite64", '14, "[tag 7]"', 10, 20, 4096, ""),
            Call("fdatasync", "14", sync_begins, sync_begins + 10, sync_result, ""),
            Call("writev", '16, "RECEIPT\\nreceipt-id:7\\n"', receipt_at, receipt_at + 1, 24, ""),
        ]

    def test_is_silent_where_the_promise_is_kept(self):
        calls = self.calls(sync_begins=25)
        self.assertEqual((list(inversions(calls, tags)), list(inversions(calls))), ([], []))
        self.assertEqual(asked(calls), {7: 2})

    def test_rings_for_each_way_to_break_it(self):
        for calls in [
            self.calls(sync_begins=15),  # began before the write had ended
            self.calls(sync_begins=35),  # had not come back
            self.calls(sync_begins=25, sync_result=-1),
            self.calls(sync_begins=25, receipt_at=30),
        ]:
            self.assertEqual(len(list(inversions(calls, tags))), 1, calls)
            self.assertEqual(len(list(inversions(calls))), 1, calls)
