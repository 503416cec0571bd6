"""A worker that can do one function, `reverse`. Its progress, its result or its exception go to the job's own address."""

import os
import queue

import stomp


def reverse(text, progress):
    if not text:
        raise ValueError("there is nothing to reverse")
    reversed_text = ""
    for done, letter in enumerate(text, start=1):
        reversed_text = letter + reversed_text
        progress(done, len(text))
    return reversed_text


class Jobs(stomp.ConnectionListener):
    def __init__(self):
        self.waiting = queue.Queue()

    def on_message(self, job):
        self.waiting.put(job)

    def on_disconnected(self):
        self.waiting.put(None)


def do(job):
    address, ack = f"/job/{job.headers['x-job-token']}", {"ack": job.headers["ack"]}

    def progress(done, of):
        connection.send(address, "", headers={"x-event": "progress", "x-progress": f"{done}/{of}"})

    try:
        connection.send(address, reverse(job.body, progress), headers={"x-event": "complete", **ack})
    except Exception as error:
        fail = {"x-event": "fail", "x-error-class": type(error).__name__, **ack}
        connection.send(address, str(error), headers=fail)


jobs = Jobs()
connection = stomp.Connection12([("localhost", int(os.environ.get("KOLEJKA_PORT", 61613)))])
connection.set_listener("jobs", jobs)
connection.connect(wait=True)
connection.subscribe("/queue/reverse", id="reverse", ack="client-individual", headers={"prefetch-count": "1"})
while job := jobs.waiting.get():
    print(f"job: reverse({job.body})", flush=True)
    do(job)
