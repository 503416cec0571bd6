"""What every version and transport of stomp.py must see. Mixed into one test class per version."""

import base64
import json
import time
import uuid
from queue import Empty

from peer import Peer, fresh


def bodies(peer, count):
    return [peer.message().body for _ in range(count)]


class Cases:
    version = None

    def peer(self, **options):
        peer = Peer(self.version, **options)
        self.addCleanup(peer.vanish)
        return peer

    def filled(self, count):
        """A queue that holds the bodies b"1" to b"count"."""
        queue, sender = fresh(), self.peer()
        for i in range(1, count + 1):
            sender.send(queue, str(i))
        return queue

    def left(self, queue, count):
        """What a new consumer finds there: body and whether it is marked as redelivered."""
        peer = self.peer()
        peer.subscribe(queue)
        found = [peer.message() for _ in range(count)]
        peer.silence()
        return {frame.body: frame.headers.get("redelivered") == "true" for frame in found}

    # connect and leave

    def test_connected_says_version_session_server_and_heart_beat(self):
        session = self.peer().session
        self.assertTrue(session["session"])
        self.assertTrue(session["server"])
        if self.version != "1.0":
            self.assertEqual(session["version"], self.version if self.version == "1.1" else "1.2")
            self.assertIn("heart-beat", session)

    def test_disconnect_is_confirmed_and_then_the_broker_closes(self):
        peer = self.peer()
        peer.leave()
        peer.ends.get(timeout=5)

    def test_what_was_sent_before_disconnect_is_there(self):
        queue, peer = fresh(), self.peer()
        for i in range(50):
            peer.connection.send(queue, str(i))
        peer.leave()
        self.assertEqual(len(self.left(queue, 50)), 50)

    # send and subscribe

    def test_a_backlog_keeps_its_order(self):
        queue = self.filled(30)
        peer = self.peer()
        peer.subscribe(queue)
        self.assertEqual(bodies(peer, 30), [str(i).encode() for i in range(1, 31)])

    def test_every_octet_of_a_body_survives(self):
        queue, peer, body = fresh(), self.peer(), bytes(range(256)) + b"\0\n\0"
        if self.version == "text WebSocket":
            body = base64.b64encode(body) + "\0 ☃\n".encode()  # a text message holds text
        peer.send(queue, body)
        peer.subscribe(queue)
        frame = peer.message()
        self.assertEqual(frame.body, body)
        self.assertEqual(frame.headers["content-length"], str(len(body)))

    def test_an_empty_body_and_a_large_one_survive(self):
        queue, peer, large = fresh(), self.peer(), b"0123456789abcdef" * 65536
        peer.send(queue, "")
        peer.send(queue, large)
        peer.subscribe(queue)
        self.assertEqual(peer.message().body or b"", b"")
        self.assertEqual(peer.message().body, large)

    def test_headers_pass_through_with_unicode_and_escapes(self):
        queue, peer = fresh(), self.peer()
        tricky = "zażółć ☃ 🐘" if self.version == "1.0" else "zażółć ☃ 🐘 a:b\\c\nd"
        peer.send(queue, "x", headers={"x-tricky": tricky, "type": "mail", "empty-not": "0"}, content_type="text/plain")
        peer.subscribe(queue)
        headers = peer.message().headers
        self.assertEqual(headers["x-tricky"], tricky)
        self.assertEqual(headers["type"], "mail")
        self.assertEqual(headers["content-type"], "text/plain")
        self.assertEqual(headers["destination"], queue)
        self.assertNotIn("receipt", headers)

    def test_no_delivery_after_the_receipt_of_unsubscribe(self):
        queue, peer = fresh(), self.peer()
        peer.subscribe(queue)
        peer.receipted(peer.connection.unsubscribe, id="s")
        peer.send(queue, "x")
        peer.silence()
        self.assertEqual(self.left(queue, 1), {b"x": False})

    def test_unsubscribing_returns_what_was_not_acknowledged(self):
        queue = self.filled(2)
        peer = self.peer()
        peer.subscribe(queue, "client-individual")
        bodies(peer, 2)
        peer.receipted(peer.connection.unsubscribe, id="s")
        self.assertEqual(self.left(queue, 2), {b"1": True, b"2": True})

    # acknowledge

    def test_auto_mode_settles_by_itself(self):
        queue = self.filled(2)
        peer = self.peer()
        peer.subscribe(queue, "auto")
        bodies(peer, 2)
        peer.leave()
        self.assertEqual(self.left(queue, 0), {})

    def test_client_mode_is_cumulative(self):
        queue = self.filled(4)
        peer = self.peer()
        peer.subscribe(queue, "client")
        frames = [peer.message() for _ in range(4)]
        peer.ack(frames[2])
        peer.leave()
        self.assertEqual(self.left(queue, 1), {b"4": True})

    def test_client_mode_is_cumulative_within_its_subscription_only(self):
        one, two = self.filled(1), self.filled(1)
        peer = self.peer()
        peer.subscribe(one, "client", id="one")
        peer.message()
        peer.subscribe(two, "client", id="two")
        peer.ack(peer.message())
        peer.leave()
        self.assertEqual(self.left(one, 1), {b"1": True})
        self.assertEqual(self.left(two, 0), {})

    def test_client_individual_mode_settles_one(self):
        queue = self.filled(3)
        peer = self.peer()
        peer.subscribe(queue, "client-individual")
        frames = [peer.message() for _ in range(3)]
        peer.ack(frames[1])
        peer.leave()
        self.assertEqual(self.left(queue, 2), {b"1": True, b"3": True})

    def test_a_lost_connection_returns_messages_to_their_places(self):
        queue = self.filled(5)
        peer = self.peer()
        peer.subscribe(queue, "client-individual")
        bodies(peer, 5)
        peer.vanish()
        again = self.peer()
        again.subscribe(queue, "client-individual")
        self.assertEqual(bodies(again, 5), [b"1", b"2", b"3", b"4", b"5"])

    def test_a_prefetch_of_one_shares_the_work(self):
        queue = self.filled(2)
        one, two = self.peer(), self.peer()
        one.subscribe(queue, "client-individual", headers={"prefetch-count": "1"})
        two.subscribe(queue, "client-individual", headers={"activemq.prefetchSize": "1"})
        first, second = one.message(), two.message()
        self.assertEqual({first.body, second.body}, {b"1", b"2"})
        one.silence()

    def test_a_nack_brings_the_message_back_with_its_count(self):
        queue = self.filled(1)
        peer = self.peer()
        peer.subscribe(queue, "client-individual")
        first = peer.message()
        self.assertNotIn("redelivered", first.headers)
        peer.nack(first)
        again = peer.message()
        self.assertEqual(again.headers["message-id"], first.headers["message-id"])
        self.assertEqual(again.headers["redelivered"], "true")
        self.assertEqual(again.headers["delivery-count"], "2")
        peer.ack(again)
        peer.leave()
        self.assertEqual(self.left(queue, 0), {})

    def test_the_limit_of_deliveries_ends_in_the_dead_letter_queue(self):
        queue = self.filled(1)
        peer = self.peer()
        peer.subscribe(queue, "client-individual")
        for delivery in range(1, 17):
            frame = peer.message()
            self.assertEqual(frame.headers.get("delivery-count", "1"), str(delivery))
            peer.nack(frame)
        peer.silence()
        peer.subscribe(queue.replace("/queue/", "/queue/DLQ."), id="dead")
        dead = peer.message()
        self.assertEqual(dead.body, b"1")
        self.assertTrue([name for name in dead.headers if "reason" in name], dead.headers)

    # transactions

    def test_sends_appear_at_commit_only(self):
        queue, peer, reader = fresh(), self.peer(), self.peer()
        reader.subscribe(queue)
        peer.receipted(peer.connection.begin, "t")
        peer.send(queue, "1", transaction="t")
        peer.send(queue, "2", transaction="t")
        reader.silence()
        peer.receipted(peer.connection.commit, "t")
        self.assertEqual(bodies(reader, 2), [b"1", b"2"])

    def test_an_abort_makes_sends_and_acks_void(self):
        queue, target = self.filled(1), fresh()
        peer = self.peer()
        peer.subscribe(queue, "client-individual")
        peer.receipted(peer.connection.begin, "t")
        peer.send(target, "never", transaction="t")
        peer.ack(peer.message(), transaction="t")
        peer.receipted(peer.connection.abort, "t")
        peer.leave()
        self.assertEqual(self.left(queue, 1), {b"1": True})
        self.assertEqual(self.left(target, 0), {})

    def test_send_and_ack_commit_together(self):
        queue, target = self.filled(1), fresh()
        peer = self.peer()
        peer.subscribe(queue, "client-individual")
        peer.receipted(peer.connection.begin, "t")
        peer.send(target, "moved", transaction="t")
        peer.ack(peer.message(), transaction="t")
        peer.receipted(peer.connection.commit, "t")
        peer.leave()
        self.assertEqual(self.left(queue, 0), {})
        self.assertEqual(self.left(target, 1), {b"moved": False})

    # topics and replies

    def test_a_topic_reaches_all_that_listen_and_none_that_come_late(self):
        topic, peers = fresh("topic"), [self.peer() for _ in range(3)]
        for peer in peers[:2]:
            peer.subscribe(topic)
        self.peer().send(topic, "news")
        peers[2].subscribe(topic)
        self.assertEqual([peer.message().body for peer in peers[:2]], [b"news", b"news"])
        peers[2].silence()

    def test_a_request_is_answered_over_a_temporary_queue(self):
        queue, client, server = fresh(), self.peer(), self.peer()
        server.subscribe(queue)
        client.subscribe("/temp-queue/replies")
        client.send(queue, "6*7", headers={"reply-to": "/temp-queue/replies", "correlation-id": "c1"})
        request = server.message()
        server.send(request.headers["reply-to"], "42", headers={"correlation-id": request.headers["correlation-id"]})
        reply = client.message()
        self.assertEqual((reply.body, reply.headers["correlation-id"]), (b"42", "c1"))

    # errors

    def test_an_error_has_a_message_and_the_receipt_id_and_ends_the_connection(self):
        peer = self.peer()
        peer.connection.commit("nobody", receipt="r-lost")
        frame = peer.error()
        self.assertTrue(frame.headers["message"])
        self.assertEqual(frame.headers["receipt-id"], "r-lost")

    def test_an_unknown_ack_mode_is_an_error(self):
        peer = self.peer()
        peer.connection.subscribe(fresh(), "s", "maybe")
        self.assertTrue(peer.error().headers["message"])

    def test_an_error_of_one_leaves_another_alone(self):
        queue, good, bad = fresh(), self.peer(), self.peer()
        good.subscribe(queue)
        bad.connection.commit("nobody")
        bad.error()
        good.send(queue, "still here")
        self.assertEqual(good.message().body, b"still here")

    # take

    def test_a_worker_that_pulls_gets_what_it_grants(self):
        queue, peer = self.filled(3), self.peer()
        peer.subscribe(queue, "client-individual", prefetch="0")
        peer.silence()
        peer.grant(2)
        first, second = peer.message(), peer.message()
        peer.ack(first)
        peer.ack(second)
        peer.silence()
        peer.grant(1)
        self.assertEqual(peer.message().body, b"3")

    def test_a_worker_that_cron_starts_takes_what_is_there_and_hears_the_end(self):
        queue, peer = self.filled(2), self.peer()
        peer.subscribe(queue, "client-individual", **{"x-until-empty": "true", "prefetch-count": "1"})
        for body in (b"1", b"2"):
            frame = peer.message()
            self.assertEqual(frame.body, body)
            peer.ack(frame)
        self.assertEqual(peer.message().headers["x-end"], "empty")
        self.assertEqual(self.left(queue, 0), {})

    def test_a_wait_is_as_long_as_was_said(self):
        queue, peer = fresh(), self.peer()
        begun = time.monotonic()
        peer.subscribe(queue, **{"x-wait": "300"})
        peer.send(queue, "one")
        self.assertEqual(peer.message().body, b"one")
        end = peer.message()
        self.assertEqual((end.headers["x-end"], end.body), ("wait", b""))
        self.assertTrue(0.3 <= time.monotonic() - begun < 2)
        peer.send(queue, "two")
        peer.silence()
        self.assertEqual(self.left(queue, 1), {b"two": False})

    def test_a_limit_ends_a_subscription_and_its_id_is_free_after_unsubscribe(self):
        queue, peer = self.filled(3), self.peer()
        for body in (b"1", b"2"):
            peer.subscribe(queue, "client-individual", **{"x-limit": "1"})
            frame = peer.message()
            self.assertEqual(frame.body, body)
            self.assertEqual(peer.message().headers["x-end"], "limit")
            peer.ack(frame)
            peer.receipted(peer.connection.unsubscribe, id="s")
        self.assertEqual(self.left(queue, 1), {b"3": False})

    def test_a_browser_sees_what_is_there_and_takes_nothing(self):
        queue, peer = self.filled(3), self.peer()
        peer.send(queue, "later", headers={"x-delay": "3600000"})
        peer.subscribe(queue, "client", browser="true", **{"x-states": "delayed,ready"})
        seen = [peer.message() for _ in range(4)]
        self.assertEqual([frame.body for frame in seen], [b"later", b"1", b"2", b"3"])
        self.assertEqual([frame.headers["x-state"] for frame in seen], ["delayed"] + ["ready"] * 3)
        self.assertTrue(all("ack" not in frame.headers for frame in seen))
        end = peer.message()
        self.assertEqual((end.headers["browser"], end.body), ("end", b""))
        peer.silence()
        self.assertEqual(self.left(queue, 3), {b"1": False, b"2": False, b"3": False})

    def test_what_is_scheduled_is_listed_and_removed(self):
        queue, peer, answers = fresh(), self.peer(), fresh()
        address, name = "/queue/ActiveMQ.Scheduler.Management", queue.rsplit("/", 1)[1]
        for body in ["old", "new"]:
            peer.send(queue, body, headers={"AMQ_SCHEDULED_CRON": "0 9 * * MON", "x-schedule": name})
        peer.subscribe(answers)

        def listed():
            peer.send(address, "", headers={"AMQ_SCHEDULER_ACTION": "BROWSE", "reply-to": answers})
            found = []
            while (frame := peer.message()).headers.get("browser") != "end":
                found.append(frame.headers)
            return [plan for plan in found if plan["original-destination"] == queue]

        [plan] = listed()
        self.assertEqual((plan["AMQ_SCHEDULED_CRON"], plan["x-schedule"]), ("0 9 * * MON", name))
        remove = {"AMQ_SCHEDULER_ACTION": "REMOVE", "scheduledJobId": plan["scheduledJobId"]}
        peer.send(address, "", headers=remove)
        self.assertEqual(listed(), [])

    def test_several_queues_are_read_in_the_order_of_their_list(self):
        first, second, peer = self.filled(2), self.filled(2), self.peer()
        headers = {"x-order": "strict", "prefetch-count": "1", "x-limit": "4"}
        peer.subscribe(f"{first},{second}", "client-individual", **headers)
        seen = []
        for _ in range(4):
            frame = peer.message()
            seen.append((frame.headers["destination"], frame.body))
            peer.ack(frame)
        self.assertEqual(seen, [(queue, body) for queue in (first, second) for body in (b"1", b"2")])

    def test_an_exclusive_worker_is_followed_by_the_next_in_line(self):
        queue, first, second, plain = fresh(), self.peer(), self.peer(), self.peer()
        plain.subscribe(queue, "client-individual", **{"x-priority": "9"})
        first.subscribe(queue, "client-individual", **{"activemq.exclusive": "true"})
        second.subscribe(queue, "client-individual", exclusive="true")
        plain.send(queue, "one")
        self.assertEqual(first.message().body, b"one")
        plain.silence()
        first.leave()
        self.assertEqual(second.message().body, b"one")
        second.leave()
        self.assertEqual(plain.message().body, b"one")

    def test_a_fifo_queue_gives_one_message_of_a_group_at_a_time(self):
        queue, first, second = fresh(), self.peer(), self.peer()
        for peer in (first, second):
            peer.subscribe(queue, "client-individual", **{"x-groups": "exclusive", "prefetch-count": "1"})
        for body in ("ann 1", "ann 2", "bob 1"):
            first.send(queue, body, JMSXGroupID=body[:3])
        ann, bob = first.message(), second.message()
        self.assertEqual((ann.body, bob.body), (b"ann 1", b"bob 1"))
        second.ack(bob)
        second.silence()
        second.leave()
        first.nack(ann)
        again = first.message()
        self.assertEqual((again.body, again.headers["redelivered"]), (b"ann 1", "true"))
        first.ack(again)
        self.assertEqual(first.message().body, b"ann 2")


    def test_a_job_is_watched_by_its_token_until_it_is_done(self):
        queue, token = fresh(), str(uuid.uuid4())
        page, eye, worker = self.peer(), self.peer(), self.peer()
        page.send(queue, "picture", headers={"x-job-token": token, "x-track": "result", "type": "resize"})
        eye.subscribe(f"/job/{token}")
        self.assertEqual(json.loads(eye.message().body)["state"], "waiting")
        worker.subscribe(queue, "client-individual")
        self.assertEqual(worker.message().headers["x-job-token"], token)
        self.assertEqual(json.loads(eye.message().body)["state"], "running")
        worker.send(f"/job/{token}", "half", headers={"x-event": "progress", "x-progress": "1/2"})
        progress = json.loads(eye.message().body)["progress"]
        self.assertEqual(progress, {"num": 1, "den": 2, "text": "half"})
        worker.send(f"/job/{token}", '{"w":9}', headers={"x-event": "complete"}, content_type="application/json")
        last = eye.message()
        self.assertEqual((last.headers["x-event"], last.headers["x-final"]), ("final", "true"))
        self.assertEqual(json.loads(last.body)["result"]["inline"], {"w": 9})
        eye.silence()

    def test_a_call_is_answered_with_the_error_of_its_worker(self):
        queue = fresh()
        caller, worker = self.peer(), self.peer()
        caller.subscribe("/temp-queue/answers")
        asked = {"x-track": "true", "reply-to": "/temp-queue/answers", "correlation-id": "c1"}
        caller.send(queue, "x", headers=asked)
        worker.subscribe(queue, "client-individual")
        worker.nack(worker.message(), **{"requeue": "false", "x-error": "no disk", "x-error-class": "IOError"})
        answer = caller.message()
        self.assertEqual((answer.headers["correlation-id"], answer.headers["x-state"]), ("c1", "failed"))
        error = json.loads(answer.body)["error"]
        self.assertEqual((error["class"], error["message"]), ("IOError", "no disk"))


class HeartBeats:
    """Versions that know heart-beats."""

    def test_heart_beats_keep_an_idle_connection_alive(self):
        peer = self.peer(heart_beat=(1000, 1000))
        beats = []
        peer.on_heartbeat = lambda: beats.append(1)
        self.assertNotEqual(peer.session["heart-beat"], "0,0")
        with self.assertRaises(Empty):
            peer.ends.get(timeout=4)
        self.assertFalse(peer.timed_out)
        self.assertTrue(peer.connection.is_connected())
        self.assertGreaterEqual(len(beats), 3)


class Silence:
    """Only over TCP: a page in the background beats once a minute, so the broker has more patience over WebSocket."""

    def test_a_client_that_stops_beating_is_dropped_and_its_message_returns(self):
        queue = self.filled(1)
        peer = self.peer(heart_beat=(1000, 0))
        peer.subscribe(queue, "client-individual")
        peer.message()
        peer.connection.get_listener("protocol-listener").heartbeat_terminate_event.set()
        peer.errors.get(timeout=6)
        self.assertEqual(self.left(queue, 1), {b"1": True})
