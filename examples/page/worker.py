"""Makes thumbnails: 254 ms of work each, with progress on the way and the picture's address as the result."""

import json
import os
import queue
import time

import stomp

SIZES = [64, 128, 256, 512]


class Jobs(stomp.ConnectionListener):
    def __init__(self):
        self.waiting = queue.Queue()

    def on_message(self, job):
        self.waiting.put(job)

    def on_disconnected(self):
        self.waiting.put(None)


jobs = Jobs()
connection = stomp.Connection12([("localhost", int(os.environ.get("KOLEJKA_PORT", 61613)))])
connection.set_listener("jobs", jobs)
connection.connect(wait=True)
connection.subscribe("/queue/thumbnails", id="work", ack="client-individual", headers={"prefetch-count": "1"})
print("waiting for work", flush=True)
while job := jobs.waiting.get():
    image, address = json.loads(job.body)["image"], f"/job/{job.headers['x-job-token']}"
    began = time.monotonic()
    for done, size in enumerate(SIZES, start=1):
        time.sleep(0.254 / len(SIZES))  # in place of real work
        progress = {"x-event": "progress", "x-progress": f"{done}/{len(SIZES)}"}
        connection.send(address, f"{size} pixels", headers=progress)
    result = {"x-event": "complete", "ack": job.headers["ack"]}
    connection.send(address, f"/thumbnails/{image}", "text/plain", headers=result)
    print(f"done: {image} in {1000 * (time.monotonic() - began):.0f} ms", flush=True)
