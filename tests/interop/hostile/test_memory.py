"""Clients that make the broker keep bytes for them: the process stays within its memory, and gives back what it no longer needs."""

import re

from attack import Attack
from broker import wait_until
from case import settle, subscribe
from wire import Refused, Wire

MIB = 1 << 20
BODY_BYTES = 4 * MIB - 1024


def resident(broker):
    """MiB of the process that are in memory."""
    with open(f"/proc/{broker.process.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) // 1024


class Memory(Attack):
    def limited(self, total="192MiB"):
        return self.broker(config=self.config(f'[limits]\nmemory.total = "{total}"\n'))

    def push(self, wires, data):
        """Sends to all of them as much of the bytes as the broker takes; it may stop to read, or send the client away."""
        left = [(wire, memoryview(data)) for wire in wires]
        for wire in wires:
            wire.socket.settimeout(0.05)
        for _ in range(6):
            still = []
            for wire, view in left:
                try:
                    while view:
                        view = view[wire.socket.send(view[:MIB]) :]
                except TimeoutError:
                    still.append((wire, view))
                except OSError:
                    continue
            left = still

    def test_half_frames_of_100_connections(self):
        with self.limited() as broker:
            wires = [self.wire(broker) for _ in range(100)]
            head = f"SEND\ndestination:/queue/half\ncontent-length:{BODY_BYTES}\n\n".encode()
            self.push(wires, head + b"h" * (BODY_BYTES - 1))
            self.assertLess(resident(broker), 320)
            self.assert_serves(broker)
            for wire in wires:
                wire.close()
            self.assert_serves(broker)

    def test_open_transactions_of_16_mib_each(self):
        with self.limited() as broker:
            frame = f"SEND\ndestination:/queue/open\ntransaction:t\ncontent-length:{MIB}\n\n".encode() + b"t" * MIB + b"\0"
            wires = [self.wire(broker) for _ in range(40)]
            self.push(wires, b"BEGIN\ntransaction:t\n\n\0" + frame * 15)
            self.assertLess(resident(broker), 320)
            self.assert_serves(broker)

    def test_a_reader_of_many_topics_that_reads_nothing(self):
        with self.limited() as broker:
            slow = self.wire(broker, receive_bytes=4096)
            for number in range(200):
                subscribe(slow, f"/topic/t{number}", ack="auto", name=str(number))
            fast = self.wire(broker, timeout=60)
            try:
                for number in range(200):
                    for _ in range(8):
                        fast.put("SEND", {"destination": f"/topic/t{number}"}, b"s" * MIB, then="sent")
                    settle(fast)
                    self.assertLess(resident(broker), 320)
            except Refused as refused:
                self.assertIn("limits.memory.total", f"{refused.headers} {refused}")
            self.assert_serves(broker)

    def test_what_a_flood_took_is_given_back(self):
        with self.broker() as broker:
            self.assert_serves(broker)
            rest = resident(broker)
            frame = f"SEND\ndestination:/queue/flood\ncontent-length:{BODY_BYTES}\n\n".encode() + b"f" * BODY_BYTES + b"\0"
            for _ in range(4):
                wires = [Wire(broker.port, timeout=60) for _ in range(200)]
                self.push(wires, frame)
                for wire in wires:
                    wire.close()
                wire = self.wire(broker)
                purge = {"destination": "/queue/Kolejka.Manage", "x-op": "purge", "x-queue": "flood"}
                wire.put("SEND", purge, then="purged")
                settle(wire)
            wait_until(lambda: resident(broker) < rest + 80, seconds=20, what=f"memory given back: {resident(broker)} MiB")
