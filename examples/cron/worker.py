"""*/5 * * * *  python3 worker.py

Takes the tasks that are there, one after the other, and ends when nothing is left. Being with a worker is what marks a
task as taken, its ack removes it. A worker that is killed in between has removed nothing: the mark goes with it.
"""

import json
import os
import queue
import time

import stomp


class Tasks(stomp.ConnectionListener):
    def __init__(self):
        self.marked, self.removed = queue.Queue(), queue.Queue()

    def on_message(self, task):
        self.marked.put(task)

    def on_receipt(self, frame):
        self.removed.put(frame)

    def on_disconnected(self):
        self.marked.put(None)


def execute(task, arguments):
    time.sleep(int(os.environ.get("TASK_MS", 10)) / 1000)  # in place of real work


tasks = Tasks()
connection = stomp.Connection12([("localhost", int(os.environ.get("KOLEJKA_PORT", 61613)))])
connection.set_listener("tasks", tasks)
connection.connect(wait=True)
headers = {"prefetch-count": "1", "x-until-empty": "true"}
connection.subscribe("/queue/tasks", id="tasks", ack="client-individual", headers=headers)
while (task := tasks.marked.get()) and "x-end" not in task.headers:
    name = f"{task.headers['type']} {task.body}".strip()
    print(f"marked: {name}" + (", not for the first time" if "redelivered" in task.headers else ""), flush=True)
    execute(task.headers["type"], json.loads(task.body or "{}"))
    print("executed:", name, flush=True)
    connection.ack(task.headers["ack"], receipt="removed")
    tasks.removed.get()
    print("removed:", name, flush=True)
print("nothing left" if task else "connection lost")
if task:
    connection.disconnect()
