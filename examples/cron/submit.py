"""What used to be INSERT INTO tasks: the name of the task in the header `type`, its arguments as JSON in the body."""

import json
import os

import stomp

TASKS = [
    ("CONTACT_EMAIL", None),
    ("INVITATION_EMAIL", None),
    ("ACCOUNT_DELETE", {"id": 34532, "with_opts": True}),
    ("IMAGE_RESIZE", {"id": 322, "thumbs": True}),
]

connection = stomp.Connection12([("localhost", int(os.environ.get("KOLEJKA_PORT", 61613)))])
queued = stomp.listener.WaitingListener("all")
connection.set_listener("queued", queued)
connection.connect(wait=True)
connection.begin("tasks")
for task, arguments in TASKS:
    body = "" if arguments is None else json.dumps(arguments, separators=(",", ":"))
    connection.send("/queue/tasks", body, headers={"type": task, "transaction": "tasks"})
connection.commit("tasks", receipt="all")
queued.wait_on_receipt()
print("queued:", ", ".join(task for task, _ in TASKS))
connection.disconnect()
