"""Instead of a table of jobs that cron looks through: started by cron, takes what is there, and leaves.

A crash in the middle loses nothing: what was not acknowledged is there for the next run.
"""

import os
import queue

import stomp

QUIET_SECONDS = 1  # that long without a job means that there is none


class Jobs(stomp.ConnectionListener):
    def __init__(self):
        self.waiting = queue.Queue()

    def on_message(self, job):
        self.waiting.put(job)


jobs, done = Jobs(), 0
connection = stomp.Connection12([("localhost", int(os.environ.get("KOLEJKA_PORT", 61613)))])
connection.set_listener("jobs", jobs)
connection.connect(wait=True)
connection.subscribe("/queue/reports", id="reports", ack="client-individual", headers={"prefetch-count": "1"})
try:
    while job := jobs.waiting.get(timeout=QUIET_SECONDS):
        print("report:", job.body)
        connection.ack(job.headers["ack"])
        done += 1
except queue.Empty:
    print("done:", done)
connection.disconnect()
