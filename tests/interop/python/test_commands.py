"""`kolejka pub` and `kolejka sub` against stomp.py and each other."""

import json
import os
import subprocess
import unittest

from broker import Broker
from peer import Peer, fresh

PATIENCE_SECONDS = 10


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = Broker().start()
        cls.addClassCleanup(cls.broker.close)
        os.environ.update(cls.broker.environment())
        cls.environment = {**os.environ, "KOLEJKA_URL": f"stomp://127.0.0.1:{cls.broker.port}"}

    def kolejka(self, *arguments, **more):
        command = [self.broker.binary, *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, timeout=PATIENCE_SECONDS, check=False, **more
        )

    def peer(self):
        peer = Peer("1.2")
        self.addCleanup(peer.vanish)
        return peer

    def test_pub_reaches_a_subscriber_with_its_header(self):
        queue, peer = fresh(), self.peer()
        peer.subscribe(queue)
        done = self.kolejka("pub", queue, "Hello, World!", "-H", "type:greeting")
        self.assertEqual(done.returncode, 0, done.stderr)
        frame = peer.message()
        self.assertEqual((frame.body, frame.headers["type"]), (b"Hello, World!", "greeting"))

    def test_pub_reads_standard_input_as_it_is(self):
        queue, peer = fresh(), self.peer()
        body = bytes(range(256))
        self.assertEqual(self.kolejka("pub", queue, "-", input=body).returncode, 0)
        peer.subscribe(queue)
        self.assertEqual(peer.message().body, body)

    def test_pub_sends_many(self):
        queue, peer = fresh(), self.peer()
        self.assertEqual(self.kolejka("pub", queue, "x", "--count", "50").returncode, 0)
        peer.subscribe(queue)
        for _ in range(50):
            peer.message()
        peer.silence()

    def test_sub_prints_what_stomp_py_sent_and_takes_it(self):
        queue, peer = fresh(), self.peer()
        for text in ["first", "second"]:
            peer.send(queue, text)
        done = self.kolejka("sub", queue, "--count", "2")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"first", done.stdout)
        self.assertIn(b"second", done.stdout)
        peer.subscribe(queue)
        peer.silence()

    def test_sub_prints_json(self):
        queue = fresh()
        self.peer().send(queue, "hello", headers={"type": "mail"})
        done = self.kolejka("sub", queue, "--count", "1", "--json")
        self.assertIn("hello", json.dumps(json.loads(done.stdout)))

    def test_sub_says_by_its_status_that_too_few_came(self):
        self.assertEqual(self.kolejka("sub", fresh(), "--count", "1", "--timeout", "200ms").returncode, 75)

    def test_pub_and_sub_meet_on_a_topic(self):
        topic = fresh("topic")
        command = [self.broker.binary, "sub", topic, "--count", "1", "--timeout", "10s"]
        with subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as listener:
            self.addCleanup(listener.kill)
            peer, told = self.peer(), False
            while listener.poll() is None and not told:  # until it listens, nobody does
                peer.send(topic, "news")
                try:
                    listener.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
                told = True
            self.assertIn(b"news", listener.stdout.read())
            self.assertEqual(listener.wait(), 0)

    def test_a_broker_that_is_not_there_is_said_in_one_sentence(self):
        done = self.kolejka("pub", "/queue/x", "x", "--url", "stomp://127.0.0.1:1")
        self.assertEqual(done.returncode, 69)
        self.assertIn(b"127.0.0.1:1", done.stderr)
