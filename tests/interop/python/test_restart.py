"""What lives through the end of the broker's process, in good order and by SIGKILL."""

import json
import os
import unittest
import uuid

from broker import Broker
from peer import Peer, fresh


class Restarts:
    """Mixed into one class per way to end."""

    def end(self):
        raise NotImplementedError

    def setUp(self):
        self.broker = Broker()
        self.addCleanup(self.broker.close)
        self.start()

    def start(self):
        self.broker.start()
        os.environ.update(self.broker.environment())

    def restart(self):
        self.end()
        self.start()

    def peer(self):
        peer = Peer("1.2")
        self.addCleanup(peer.vanish)
        return peer

    def test_confirmed_messages_are_there_in_order_with_all_they_had(self):
        queue, peer = fresh(), self.peer()
        for number in range(200):
            peer.send(queue, bytes([number]) + b"\0body", headers={"number": str(number), "x-odd": "a:b\\c\nd"})
        self.restart()
        peer = self.peer()
        peer.subscribe(queue)
        for number in range(200):
            frame = peer.message()
            self.assertEqual(frame.body, bytes([number]) + b"\0body")
            self.assertEqual((frame.headers["number"], frame.headers["x-odd"]), (str(number), "a:b\\c\nd"))
            self.assertEqual(frame.headers["destination"], queue)
            self.assertIn(frame.headers.get("redelivered", "true"), ["true"])
        peer.silence()

    def test_a_large_message_is_there(self):
        queue, body = fresh(), os.urandom(1 << 20)
        self.peer().send(queue, body)
        self.restart()
        peer = self.peer()
        peer.subscribe(queue)
        self.assertEqual(peer.message().body, body)

    def test_a_schedule_goes_on_and_what_was_missed_comes_once(self):
        queue, peer = fresh(), self.peer()
        plan = {"AMQ_SCHEDULED_PERIOD": "1000", "AMQ_SCHEDULED_REPEAT": "4", "x-schedule": "tick"}
        peer.send(queue, "old", headers=plan)
        peer.send(queue, "tick", headers=plan)
        peer.subscribe(queue, "client-individual")
        first = peer.message()
        peer.ack(first)
        self.restart()
        peer = self.peer()
        peer.subscribe(queue, "client-individual")
        ticks = [first] + [peer.message() for _ in range(4)]
        peer.silence(1.5)
        self.assertEqual({frame.body for frame in ticks}, {b"tick"})
        self.assertEqual(len({frame.headers["message-id"] for frame in ticks}), 5)
        self.assertEqual(len({frame.headers["scheduledJobId"] for frame in ticks}), 1)

    def test_a_confirmed_ack_stays_and_the_rest_comes_back_marked(self):
        queue, peer = fresh(), self.peer()
        for number in range(6):
            peer.send(queue, str(number))
        peer.subscribe(queue, "client-individual")
        frames = [peer.message() for _ in range(6)]
        for frame in frames[::2]:
            peer.ack(frame)
        self.restart()
        peer = self.peer()
        peer.subscribe(queue)
        again = [peer.message() for _ in range(3)]
        peer.silence()
        self.assertEqual([frame.body for frame in again], [b"1", b"3", b"5"])
        self.assertEqual({frame.headers.get("redelivered") for frame in again}, {"true"})
        self.assertEqual([f.headers["message-id"] for f in again], [f.headers["message-id"] for f in frames[1::2]])

    def test_a_confirmed_commit_stays_and_an_open_transaction_goes(self):
        source, target, peer = fresh(), fresh(), self.peer()
        peer.send(source, "moved")
        peer.send(source, "kept")
        peer.subscribe(source, "client-individual")
        moved, kept = peer.message(), peer.message()
        peer.receipted(peer.connection.begin, "done")
        peer.send(target, "moved", transaction="done")
        peer.ack(moved, transaction="done")
        peer.receipted(peer.connection.commit, "done")
        peer.receipted(peer.connection.begin, "open")
        peer.send(target, "never", transaction="open")
        peer.ack(kept, transaction="open")
        self.restart()
        peer = self.peer()
        peer.subscribe(source, id="source")
        self.assertEqual(peer.message().body, b"kept")
        peer.silence()
        peer.subscribe(target, id="target")
        self.assertEqual(peer.message().body, b"moved")
        peer.silence()

    def test_the_dead_letter_queue_is_there(self):
        queue, peer = fresh(), self.peer()
        peer.send(queue, "poison")
        peer.subscribe(queue, "client-individual")
        for _ in range(16):
            peer.nack(peer.message())
        peer.silence()
        self.restart()
        peer = self.peer()
        peer.subscribe(queue, id="queue")
        peer.silence()
        peer.subscribe(queue.replace("/queue/", "/queue/DLQ."), id="dead")
        self.assertEqual(peer.message().body, b"poison")

    def test_what_an_operator_has_done_is_there(self):
        queue, other, peer = fresh(), fresh(), self.peer()
        for number in range(10):
            peer.send(queue, str(number), headers={"kind": "odd" if number % 2 else "even"})
        self.assertEqual(self.manage(peer, queue, "move", **{"x-to": other, "selector": "kind = 'odd'"})["count"], 5)
        worker = self.peer()
        worker.subscribe(other, "client-individual")
        worker.nack(worker.message(), requeue="false")
        self.assertEqual(self.manage(peer, queue, "pause", **{"x-side": "both"})["output"], True)
        self.restart()
        peer = self.peer()
        peer.subscribe(queue, id="queue")
        peer.silence()
        dead = other.replace("/queue/", "/queue/DLQ.")
        self.assertEqual(self.manage(peer, dead, "move", **{"x-rate": "1000"})["count"], 1)
        self.assertEqual(self.numbers(peer, other)["ready"], 5)
        self.assertEqual(self.manage(peer, queue, "purge", selector="kind = 'even'")["count"], 5)
        # The answer says what was done; that the disk has it, the receipt of what comes behind it.
        peer.send(fresh(), "behind it")
        self.restart()
        peer = self.peer()
        numbers = self.numbers(peer, queue)
        self.assertEqual((numbers["size"], numbers["inputPaused"], numbers["outputPaused"]), (0, True, True))
        self.manage(peer, queue, "resume")
        peer.subscribe(queue, id="queue")
        peer.send(queue, "after all")
        self.assertEqual(peer.message().body, b"after all")
        peer.subscribe(other, id="other")
        self.assertEqual(sorted(peer.message().body for _ in range(5)), [b"1", b"3", b"5", b"7", b"9"])

    def test_the_limits_that_a_queue_was_made_with_hold(self):
        queue, peer = fresh(), self.peer()
        limits = {"x-max-length": "3", "x-overflow": "drop-head"}
        for number in range(5):
            peer.send(queue, str(number), headers=limits)
        self.restart()
        peer = self.peer()
        for number in range(5, 7):
            peer.send(queue, str(number))
        peer.subscribe(queue)
        self.assertEqual([peer.message().body for _ in range(3)], [b"4", b"5", b"6"])
        peer.silence()

    def manage(self, peer, queue, operation, **headers):
        """Has something done with a queue; the answer."""
        headers |= {"x-op": operation, "x-queue": queue, "reply-to": "/temp-queue/ops"}
        peer.send("/queue/Kolejka.Manage", "", headers=headers)
        return json.loads(peer.message().body)

    def numbers(self, peer, queue):
        """What the broker says of a queue."""
        address = queue.replace("/queue/", "/queue/ActiveMQ.Statistics.Destination.")
        peer.send(address, "", headers={"reply-to": "/temp-queue/numbers"})
        return json.loads(peer.message().body)

    def test_the_status_of_a_job_is_there_with_its_result_and_its_token_stays_taken(self):
        queue, peer, tokens = fresh(), self.peer(), [str(uuid.uuid4()) for _ in range(3)]
        results = [b'{"width":100}', os.urandom(300_000)]
        for token in tokens:
            peer.send(queue, token, headers={"x-job-token": token, "x-track": "result", "type": "resize"})
        peer.subscribe(queue, "client-individual", headers={"prefetch-count": "1"})
        for token, result in zip(tokens, results):
            self.assertEqual(peer.message().headers["x-job-token"], token)
            peer.send(f"/job/{token}", result, headers={"x-event": "complete"}, content_type="application/json")
        peer.nack(peer.message(), **{"x-delay": "600000", "x-error": "no disk", "x-error-class": "IOError"})
        self.restart()
        peer = self.peer()
        documents = [self.watch(peer, token) for token in tokens]
        self.assertEqual([document["state"] for document in documents], ["completed", "completed", "retrying"])
        self.assertEqual(documents[0]["result"]["inline"], {"width": 100})
        self.assertEqual((documents[1]["result"]["size"], documents[1]["result"]["kept"]), (300_000, True))
        eye = self.peer()
        eye.subscribe(f"/job/{tokens[1]}")
        self.assertEqual([eye.message().headers["x-event"], eye.message().body], ["final", results[1]])
        self.assertEqual([error["class"] for error in documents[2]["errors"]], ["IOError"])
        self.assertEqual(documents[2]["type"], "resize")
        peer.send(queue, "again", headers={"x-job-token": tokens[0]})
        peer.subscribe(queue, id="queue")
        peer.silence()

    def test_a_job_that_was_being_worked_at_waits_for_another_worker(self):
        queue, peer, token = fresh(), self.peer(), str(uuid.uuid4())
        peer.send(queue, "x", headers={"x-job-token": token})
        peer.subscribe(queue, "client-individual")
        peer.message()
        self.assertEqual(self.watch(peer, token)["state"], "running")
        self.restart()
        peer = self.peer()
        self.assertEqual(self.watch(peer, token)["state"], "waiting")
        peer.subscribe(queue, "client-individual")
        self.assertEqual(peer.message().body, b"x")

    def watch(self, peer, token):
        """The document that a watcher gets first."""
        peer.subscribe(f"/job/{token}", id=f"eye-{token}")
        frame = peer.message()
        self.assertEqual(frame.headers["x-job-token"], token)
        peer.receipted(peer.connection.unsubscribe, id=f"eye-{token}")
        while not peer.messages.empty():
            peer.messages.get()
        return json.loads(frame.body)

    def test_restarting_many_times_loses_nothing(self):
        queue = fresh()
        for round_number in range(5):
            self.peer().send(queue, str(round_number))
            self.restart()
        peer = self.peer()
        peer.subscribe(queue)
        self.assertEqual([peer.message().body for _ in range(5)], [b"0", b"1", b"2", b"3", b"4"])


class InGoodOrder(Restarts, unittest.TestCase):
    def end(self):
        self.broker.stop()

    def test_the_count_of_deliveries_goes_on(self):
        queue, peer = fresh(), self.peer()
        peer.send(queue, "x")
        peer.subscribe(queue, "client-individual")
        for _ in range(3):
            peer.nack(peer.message())
        self.assertEqual(peer.message().headers["delivery-count"], "4")
        self.restart()
        peer = self.peer()
        peer.subscribe(queue, "client-individual")
        self.assertGreaterEqual(int(peer.message().headers["delivery-count"]), 4)

    def test_a_client_is_told_that_the_broker_stops(self):
        peer = self.peer()
        self.end()
        self.assertTrue(peer.error().headers["message"])


class BySigkill(Restarts, unittest.TestCase):
    def end(self):
        self.broker.kill()

    def test_a_second_broker_on_the_same_data_gives_up(self):
        second = Broker(data=self.broker.data)
        self.addCleanup(second.close)
        with self.assertRaisesRegex(Exception, "(?i)lock|use|another"):
            second.start()
        self.peer().send(fresh(), "the first goes on")
