"""Requests whose copies would be more than the log takes at once: stored by reference, cut, or refused; never the end."""

from attack import Attack
from case import settle

MIB = 1 << 20


class LargeAppends(Attack):
    def assert_survives(self, broker, frames, accepted=True):
        refused = self.attack(broker, frames)
        if accepted:
            self.assertIsNone(refused)
        self.assert_serves(broker)
        self.assert_starts_again(broker)

    def test_a_message_of_4_mib_to_a_list_of_64_queues(self):
        body = b"x" * (4 * MIB)
        with self.broker() as broker:
            names = ",".join(f"q{number}" for number in range(64))
            self.assertIsNone(self.attack(broker, [("SEND", {"destination": f"/queue/{names}"}, body)]))
            self.assert_serves(broker)
            broker.kill()
            broker.start()
            for number in (0, 63):
                self.assertEqual([b for _, b in self.take(self.wire(broker), f"/queue/q{number}", 1)], [body])
            self.assert_starts_again(broker)

    def test_a_message_of_4_mib_to_a_topic_with_70_durable_subscriptions(self):
        with self.broker() as broker:
            self.durable(broker, "/topic/news", 70)
            self.assert_survives(broker, [("SEND", {"destination": "/topic/news"}, b"x" * (4 * MIB))])

    def test_a_transaction_of_15_mib_to_a_topic_with_24_durable_subscriptions(self):
        with self.broker() as broker:
            self.durable(broker, "/topic/news", 24)
            send = ("SEND", {"destination": "/topic/news", "transaction": "t"}, b"y" * MIB)
            frames = [("BEGIN", {"transaction": "t"}, b""), *[send] * 15, ("COMMIT", {"transaction": "t"}, b"")]
            self.assert_survives(broker, frames)

    def test_a_transaction_of_1000_frames_to_a_topic_with_2000_durable_subscriptions(self):
        with self.broker() as broker:
            self.durable(broker, "/topic/news", 200, connections=10)
            send = ("SEND", {"destination": "/topic/news", "transaction": "t"}, b"y")
            frames = [("BEGIN", {"transaction": "t"}, b""), *[send] * 1000, ("COMMIT", {"transaction": "t"}, b"")]
            self.assert_survives(broker, frames, accepted=False)

    def test_hundreds_of_moves_of_10000_without_waiting(self):
        with self.broker() as broker:
            wire = self.wire(broker, timeout=60)
            for _ in range(200_000 // 500):
                for _ in range(499):
                    wire.put("SEND", {"destination": "/queue/a"}, b"m")
                wire.put("SEND", {"destination": "/queue/a"}, b"m", then="sent")
                wire.flush()
            settle(wire)
            move = {"destination": "/queue/Kolejka.Manage", "x-op": "move", "x-queue": "/queue/a", "x-to": "/queue/b"}
            back = {**move, "x-queue": "/queue/b", "x-to": "/queue/a"}
            self.assert_survives(broker, [("SEND", headers, b"") for _ in range(250) for headers in (move, back)], accepted=False)

    def test_a_schedule_of_4_mib_on_a_topic_with_70_durable_subscriptions(self):
        with self.broker() as broker:
            self.durable(broker, "/topic/news", 70)
            later = {"destination": "/topic/news", "AMQ_SCHEDULED_DELAY": "500"}
            self.assertIsNone(self.attack(broker, [("SEND", later, b"x" * (4 * MIB))]))
            broker.kill()
            broker.start()
            wire = self.wire(broker, timeout=60, login={"client-id": "c0"})
            for name in ("s0", "s69"):
                headers = {"destination": "/topic/news", "id": name, "ack": "auto", "activemq.subscriptionName": name}
                wire.put("SUBSCRIBE", headers)
                wire.flush()
                self.assertEqual(len(wire.frame()[2]), 4 * MIB)
            wire.close()
            self.assert_serves(broker)
            self.assert_starts_again(broker)

    def test_thousands_of_delayed_messages_and_a_packet_of_browse_requests(self):
        with self.broker() as broker:
            wire = self.wire(broker, timeout=60)
            delayed = [b"z" * 1000] * 10_000
            self.send(wire, "/queue/later", delayed, headers={"AMQ_SCHEDULED_DELAY": "86400000"}, window=500)
            browse = {
                "destination": "/topic/ActiveMQ.Scheduler.Management",
                "AMQ_SCHEDULER_ACTION": "BROWSE",
                "JMSReplyTo": "/queue/later",
                "reply-to": "/queue/later",
            }
            self.assert_survives(broker, [("SEND", browse, b"")] * 450, accepted=False)
