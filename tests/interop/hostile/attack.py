"""What the cases of this folder share: an attacker that may be sent away, and the proof that nothing else happened."""

from case import Case, settle
from wire import Refused, Wire


class Attack(Case):
    """One client does something hostile. Whatever it is told, the broker goes on, and starts again on what it left."""

    def attack(self, broker, frames):
        """Sends the frames (command, headers, body) on a connection of its own, the last one with a receipt.

        Returns `None` if all of it was accepted, else the headers of the ERROR.
        """
        wire = self.wire(broker, timeout=60)
        try:
            for command, headers, body in frames:
                wire.put(command, headers, body)
                wire.flush()
            wire.put("SEND", {"destination": "/queue/attack.end"}, b"end", then="end")
            settle(wire)
            return None
        except Refused as refused:
            return refused.headers
        except (ConnectionError, BrokenPipeError):
            # The ERROR may be lost to a reset when we were still writing.
            return {"code": "closed"}
        finally:
            wire.close()

    def assert_serves(self, broker):
        """The process is there, and an ordinary client gets its work done."""
        self.assertIsNone(broker.process.poll(), f"the broker ended:\n{broker.output()}")
        wire = self.wire(broker, timeout=60)
        bodies = [b"good %d" % number for number in range(20)]
        self.send(wire, "/queue/good", bodies)
        self.assertEqual([body for _, body in self.take(wire, "/queue/good", 20)], bodies)
        wire.close()

    def assert_starts_again(self, broker):
        """A crash behind the attack, and a start with nobody connected: it serves, and stops in good order."""
        broker.kill()
        broker.start()
        self.assert_serves(broker)
        broker.stop()

    def durable(self, broker, topic, count, connections=1):
        """Durable subscriptions of a topic, whose readers are away."""
        for connection in range(connections):
            wire = Wire(broker.port, timeout=60, login={"client-id": f"c{connection}"})
            for number in range(count):
                name = f"s{number}"
                headers = {"destination": topic, "id": name, "ack": "client-individual"}
                wire.put("SUBSCRIBE", {**headers, "activemq.subscriptionName": name}, then=name)
                wire.put("UNSUBSCRIBE", {"id": name}, then=name)
            settle(wire)
            wire.close()
