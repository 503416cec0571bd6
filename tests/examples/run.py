"""Every program of `examples/`, run against the built broker, with what it prints compared to what it must print."""

import subprocess
import sys
import unittest

from program import ROOT, Program, php, python, rust

sys.path[:0] = [str(ROOT / "tests" / "interop"), str(ROOT / "tests" / "interop" / "python")]
from broker import Broker  # noqa: E402
from suite import report  # noqa: E402
from worked import Worked  # noqa: E402


class Examples(unittest.TestCase):
    def setUp(self):
        self.broker = Broker().start()
        self.addCleanup(self.broker.close)
        self.port = self.broker.port

    def start(self, program):
        self.addCleanup(program.__exit__)
        return program

    # PHP

    def test_php_producer_and_worker(self):
        stored = [f"stored: mail to {name}" for name in ["ann", "bob", "eve"]]
        self.start(php("producer.php", self.port)).prints(*stored).ends()
        sent = [f"sent: mail to {name}@example.com" for name in ["ann", "bob", "eve"]]
        self.start(php("worker.php", self.port)).prints(*sent)

    def test_a_php_worker_ends_when_its_connection_does(self):
        worker = self.start(php("worker.php", self.port))
        self.fill("/queue/mail", '{"to": "ann@example.com"}')
        worker.prints("sent: mail to ann@example.com")
        self.broker.kill()
        worker.ends()

    def test_php_publisher_and_subscribers(self):
        listeners = [self.start(php("subscriber.php", self.port)).prints("listening") for _ in range(2)]
        self.start(php("publisher.php", self.port)).prints("published: gold 2391", "published: silver 31").ends()
        for listener in listeners:
            listener.prints("price: gold 2391", "price: silver 31")

    # Python

    def test_python_producer_and_worker(self):
        self.start(python("producer.py", self.port)).prints("stored: 3 jobs").ends()
        sent = [f"sent: mail to {name}@example.com" for name in ["ann", "bob", "eve"]]
        self.start(python("worker.py", self.port)).prints(*sent)

    def test_python_publisher_and_subscribers(self):
        listeners = [self.start(python("subscriber.py", self.port)).prints("listening") for _ in range(2)]
        self.start(python("publisher.py", self.port)).prints("published: gold 2391", "published: silver 31").ends()
        for listener in listeners:
            listener.prints("price: gold 2391", "price: silver 31")

    def test_python_request_and_reply(self):
        self.start(python("answer.py", self.port))
        self.start(python("ask.py", self.port)).prints("0 HELLO", "1 IS ANYBODY THERE?").ends()

    # Rust

    def test_rust_hello(self):
        self.start(rust("hello", port=self.port)).prints("Hello from Rust").ends()

    def test_rust_work_queue(self):
        stored = ["stored: cat.png", "stored: dog.png", "stored: owl.png"]
        self.start(rust("work_queue", "produce", port=self.port)).prints(*stored).ends()
        scaled = ["scaled: cat.png to 128", "scaled: dog.png to 128", "scaled: owl.png to 128"]
        self.start(rust("work_queue", "work", port=self.port)).prints(*scaled)

    def test_rust_fan_out(self):
        listeners = [self.start(rust("fan_out", "listen", port=self.port)).prints("listening") for _ in range(2)]
        self.start(rust("fan_out", "tell", "rain", port=self.port)).ends()
        for listener in listeners:
            listener.prints("heard: rain")

    def test_rust_request_and_reply(self):
        self.start(rust("request_reply", "serve", port=self.port))
        self.start(rust("request_reply", "ask", "12", port=self.port)).prints("144").ends()

    def test_rust_measure_runs_and_counts(self):
        asked = "200 messages of 1024 octets, 1 pairs, window 256, persistent, a receipt and an ack each"
        run = self.start(rust("measure", f"127.0.0.1:{self.port}", "--messages", "200", "--pairs", "1", port=self.port))
        run.prints(asked).prints_like(r"\d+ messages per second").prints_like(r"confirmed after [\d.]+ ms \(p50\), [\d.]+ ms \(p99\)")
        run.ends()

    # between languages, and in the browser

    def test_a_php_page_hands_work_to_a_python_worker(self):
        worker = self.start(python("worker.py", self.port))
        self.start(php("producer.php", self.port)).prints("stored: mail to ann", "stored: mail to bob", "stored: mail to eve").ends()
        worker.prints("sent: mail to ann@example.com", "sent: mail to bob@example.com", "sent: mail to eve@example.com")

    def test_the_page_in_the_browser_sends_receives_and_acknowledges(self):
        script = ROOT / "tests" / "examples" / "browser.js"
        self.start(Program("node", script, port=self.port)).prints(
            "state: connected",
            "job done: water the plants",
            "heard by both pages: water the plants",
        ).ends()
        self.assertTrue(self.is_empty("/queue/chores"))

    def fill(self, queue, *bodies):
        for body in bodies:
            command = [self.broker.binary, "pub", queue, body, "--url", self.url()]
            subprocess.run(command, check=True, capture_output=True, timeout=20)

    def is_empty(self, queue):
        """Whether `kolejka sub` waits for a message in vain, which is its exit status 75."""
        command = [self.broker.binary, "sub", queue, "--count", "1", "--timeout", "300ms", "--url", self.url()]
        return subprocess.run(command, check=False, capture_output=True, timeout=20).returncode == 75

    def url(self):
        return f"stomp://127.0.0.1:{self.port}"


if __name__ == "__main__":
    # run.py [WORD]: everything, or only the tests that have the word in their name.
    unittest.defaultTestLoader.testNamePatterns = [f"*{word}*" for word in sys.argv[1:]] or None
    sys.exit(report(unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, [Examples, Worked]))))
