"""The worked examples: what users of six job queues know, each a folder of `examples/`, run as they would run it."""

import shutil
import socket
import tempfile
import unittest
from pathlib import Path

from broker import Broker
from program import ROOT, Program, example

CONTACT, INVITATION = "CONTACT_EMAIL", "INVITATION_EMAIL"
DELETE, RESIZE = 'ACCOUNT_DELETE {"id":34532,"with_opts":true}', 'IMAGE_RESIZE {"id":322,"thumbs":true}'
TASKS = [CONTACT, INVITATION, DELETE, RESIZE]
A_MINUTE_OF_WORK = {"TASK_MS": "60000"}


class Worked(unittest.TestCase):
    def setUp(self):
        self.broker = Broker().start()
        self.addCleanup(self.broker.close)

    def start(self, script, *arguments, **environment):
        program = example(script, *arguments, port=self.broker.port, **environment)
        self.addCleanup(program.kill)
        return program

    # the task table and cron

    def queue_tasks(self, language):
        submit = self.start(f"cron/submit.{language}")
        if language == "php":
            submit.prints(*(f"queued: {task}" if " " in task else f"queued: {task} " for task in TASKS)).ends()
        else:
            submit.prints("queued: CONTACT_EMAIL, INVITATION_EMAIL, ACCOUNT_DELETE, IMAGE_RESIZE").ends()

    def test_cron_worker_does_what_is_there_and_ends(self):
        for submit, worker in [("php", "py"), ("py", "php")]:
            self.queue_tasks(submit)
            steps = [f"{step}: {task}" for task in TASKS for step in ["marked", "executed", "removed"]]
            self.start(f"cron/worker.{worker}").prints(*steps, "nothing left").ends()
            self.start(f"cron/worker.{worker}").prints("nothing left").ends()

    def test_cron_worker_that_is_killed_loses_nothing(self):
        for language in ["php", "py"]:
            self.queue_tasks(language)
            killed = self.start(f"cron/worker.{language}", **A_MINUTE_OF_WORK).prints(f"marked: {CONTACT}")
            killed.kill()
            self.assertEqual(killed.rest(), [])
            again = self.start(f"cron/worker.{language}")
            again.prints(f"marked: {CONTACT}, not for the first time", f"executed: {CONTACT}", f"removed: {CONTACT}")
            again.prints(*(f"{step}: {task}" for task in TASKS[1:] for step in ["marked", "executed", "removed"]))
            again.prints("nothing left").ends()

    # MemcacheQ

    def test_memcacheq_messages_are_popped_in_order(self):
        stored = ["STORED queue_1: message 1", "STORED queue_1: message 2", "STORED queue_2: message 1"]
        self.start("memcacheq/set.php").prints(*stored).ends()
        popped = ["queue_1: message 1", "queue_2: message 1", "queue_1: message 2", "queue_1: END"]
        self.start("memcacheq/get.php").prints(*popped).ends()

    def test_memcacheq_in_python(self):
        for queue, message in [("queue_1", "message 1"), ("queue_1", "message 2"), ("queue_2", "message 1")]:
            self.start("memcacheq/memcacheq.py", "set", queue, message).prints("STORED").ends()
        for queue, message in [("queue_1", "message 1"), ("queue_1", "message 2"), ("queue_1", "END"), ("queue_2", "message 1")]:
            self.start("memcacheq/memcacheq.py", "get", queue).prints(message).ends()

    # Beanstalkd

    def test_beanstalkd_put_watch_reserve_delete(self):
        self.start("beanstalkd/producer.php").prints("put: 3 jobs into testtube").ends()
        worker = self.start("beanstalkd/worker.php")
        for job in ["hello, urgently", "hello", "hello, half a second late"]:
            worker.prints(f"reserved: {job}", f"deleted: {job}")
        self.start("memcacheq/memcacheq.py", "get", "testtube").prints("END").ends()
        self.start("memcacheq/memcacheq.py", "get", "default").prints("not for the worker").ends()

    def test_beanstalkd_tour(self):
        self.start("beanstalkd/tour.py").prints(
            "ready, to look at: hello",
            "reserved: hello",
            "deleted; another one? None",
            "by priority: at once",
            "by priority: can wait",
            "delayed, so not ready: None | delayed: later",
            "after its delay: later",
            "released, and again: later | attempt 2",
            "buried, so not ready: None | buried: later",
            "kicked: 1",
            "after the kick: later",
            "touched: slow | time to run 2000 ms",
            "its time is over, so another worker has it: slow",
            "and the first one is told: lease-lost",
        ).ends()

    # Gearman

    def test_gearman_calls_in_front_behind_and_with_an_exception(self):
        for language, error in [("php", "InvalidArgumentException"), ("py", "ValueError")]:
            worker = self.start(f"gearman/worker.{language}")
            self.start("gearman/client.php").prints(
                "foreground: !dlroW olleH",
                "background: !dlroW olleH",
                "its status: completed, progress 12/12",
                f"exception: {error}: there is nothing to reverse",
            ).ends()
            worker.prints("job: reverse(Hello World!)", "job: reverse(Hello World!)", "job: reverse()").kill()

    def test_gearman_two_calls_with_one_key_are_one_job(self):
        callers = self.start("gearman/client.py").prints(
            "ann's call was there before: False", "bob's call was there before: True | the same job: True", "watching"
        )
        worker = self.start("gearman/worker.php").prints("job: reverse(Hello World!)")
        callers.prints("progress: 12/12", "ann's result: !dlroW olleH", "bob's result: !dlroW olleH").ends()
        worker.kill()
        self.assertEqual(worker.rest(), [])

    # Resque

    def test_resque_statuses_and_hooks(self):
        hooks = self.start("resque/hooks.php").prints("listening")
        for arguments, greeting, end, last in [
            ('{"name":"Chris"}', ["Hello, Chris"], "COMPLETE", "afterPerform: My_Job"),
            ("{}", [], "FAILED: whom shall I greet?", "onFailure: My_Job: whom shall I greet?"),
        ]:
            token = self.start("resque/enqueue.php", arguments).prints_like("[0-9a-f]{32}").found[0]
            status = self.start("resque/status.php", token).prints("WAITING")
            hooks.prints("afterEnqueue: My_Job")
            worker = self.start("resque/worker.php").prints(*greeting)
            status.prints("RUNNING", end).ends()
            hooks.prints("beforePerform: My_Job", last)
            worker.kill()

    # Q4M

    def test_q4m_rows_have_one_owner_and_their_place(self):
        inserted = [f"inserted into {row}" for row in ["bulk: film, size 700", "bulk: song, size 4", "urgent: alarm, size 50", "bulk: album, size 60"]]
        self.start("q4m/insert.php").prints(*inserted).ends()
        self.start("q4m/owner.php").prints(
            "ann owns alarm",
            "bob owns film",
            "bob aborts",
            "ann is done with alarm",
            "ann owns film, which was in its old place",
        ).ends()

    def test_q4m_workers_share_the_rows_that_meet_the_condition(self):
        workers = [self.start("q4m/worker.php", "4") for _ in range(2)]
        self.start("q4m/insert.php").prints_somewhere("inserted into bulk: album, size 60").ends()
        lines = [line for worker in workers for line in worker.rest()]
        self.assertEqual(sorted(lines), ["done: alarm", "done: album", "done: film", "nothing more", "nothing more"])

    # Amazon SQS

    def test_sqs_standard_queue(self):
        self.start("sqs/standard.py").prints(
            "a long wait brings: order 1",
            "nobody else sees it: []",
            "when its visibility is over: order 1 | receive count 2",
            "who comes too late is told: lease-lost",
            "extended and deleted; left: []",
            "new to the queue: [True, False]",
            "up to ten at once: ['order 2', 'order 3']",
            "received too often: order 3 | deliveries",
            "redriven: 1",
            "and back in its queue: order 3",
        ).ends()

    def test_sqs_fifo_queue(self):
        self.start("sqs/fifo.py").prints(
            "sent: ann pays 1",
            "sent: ann pays 2",
            "sent: eve pays 3",
            "dropped, sent before: eve pays 3",
            "received: ann pays 1",
            "its group waits, another does not: eve pays 3",
            "deleted, so the next of the group: ann pays 2",
        ).ends()

    # the page, the token and the result

    def test_a_page_answers_with_a_token_and_the_browser_watches(self):
        folder = Path(tempfile.mkdtemp(prefix="kolejka-page-"))
        self.addCleanup(shutil.rmtree, folder)
        for name in ["page.php", "index.html"]:
            (folder / name).symlink_to(ROOT / "examples" / "page" / name)
        (folder / "node_modules").symlink_to(ROOT / "tests" / "interop" / "js" / "node_modules")
        port = free_port()
        server = Program("php", "-S", f"127.0.0.1:{port}", "-t", folder, port=self.broker.port)
        self.addCleanup(server.kill)
        server.prints_like(r".*Development Server \(http://127.0.0.1:\d+\) started")

        address = f"http://127.0.0.1:{port}/?port={self.broker.port}"
        browser = Program("node", ROOT / "tests" / "examples" / "page.js", address, port=self.broker.port)
        self.addCleanup(browser.kill)
        browser.prints_like(r"the page answered after ([\d.]+) ms").prints("state: waiting")
        print(f"      the page answered after {browser.found[1]} ms", flush=True)
        worker = self.start("page/worker.py").prints("waiting for work")
        browser.prints("history: → waiting → running → completed", "progress: 4/4 512 pixels", "result: /thumbnails/cat.png")
        browser.prints("late: completed 4/4 512 pixels /thumbnails/cat.png").ends()
        worker.prints_like(r"done: cat.png in \d+ ms")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
