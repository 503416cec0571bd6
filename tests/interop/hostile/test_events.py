"""Queues that the broker's own events feed: their own events must not feed them."""

from attack import Attack
from case import settle
from wire import Wire


class EventsThatFeedThemselves(Attack):
    def assert_ends(self, subscribe):
        with self.broker() as broker:
            wire = Wire(broker.port, timeout=60, login={"client-id": "ears"})
            wire.put("SUBSCRIBE", {"id": "1", **subscribe}, then="subscribed")
            settle(wire)
            self.assert_serves(broker)
            wire.close()
            self.assert_serves(broker)
            self.assert_starts_again(broker)

    def test_a_group_on_all_events(self):
        self.assert_ends({"destination": "/topic/Kolejka.Job.>", "group": "g"})

    def test_a_group_on_one_event(self):
        self.assert_ends({"destination": "/topic/Kolejka.Job.submitted.>", "group": "g", "ack": "client"})

    def test_a_durable_subscription_to_events(self):
        self.assert_ends({"destination": "/topic/Kolejka.Job.>", "durable": "true", "ack": "client-individual"})

    def test_a_group_that_takes_without_acknowledgement(self):
        self.assert_ends({"destination": "/topic/Kolejka.Job.completed.>", "group": "g", "ack": "auto"})

    def test_everything_at_once(self):
        self.assert_ends({"destination": "/topic/>", "group": "g", "ack": "client-individual"})

    def test_events_are_still_told_to_a_queue_behind_them(self):
        with self.broker() as broker:
            wire = self.wire(broker, timeout=60)
            headers = {"destination": "/topic/Kolejka.Job.submitted.>", "id": "1", "group": "g", "ack": "client-individual"}
            wire.put("SUBSCRIBE", headers, then="subscribed")
            settle(wire)
            other = self.wire(broker)
            self.send(other, "/queue/work", [b"a", b"b"], headers={"x-track": "true"})
            events = [wire.frame(), wire.frame()]
            self.assertEqual({frame[0] for frame in events}, {"MESSAGE"})
            for _, headers, _ in events:
                self.assertEqual(headers["destination"], "/topic/Kolejka.Job.submitted.work")
