"""A job's life, step by step, as Beanstalkd's users know it."""

from beanstalk import Beanstalk, Refused

producer, worker = Beanstalk(), Beanstalk()
producer.use("testtube")
worker.use("testtube")
worker.watch("testtube")
worker.ignore("default")

producer.put("hello")
print("ready, to look at:", producer.peek("ready").body)
job = worker.reserve()
print("reserved:", job.body)
worker.delete(job)
print("deleted; another one?", worker.reserve(timeout=0))

producer.put("can wait", priority=2000)
producer.put("at once", priority=10)
for job in [worker.reserve(), worker.reserve()]:
    print("by priority:", job.body)
    worker.delete(job)

producer.put("later", delay=2)
print("delayed, so not ready:", worker.reserve(timeout=0), "| delayed:", producer.peek("delayed").body)
job = worker.reserve()
print("after its delay:", job.body)

worker.release(job, delay=0)
job = worker.reserve()
print("released, and again:", job.body, "| attempt", job.headers["delivery-count"])

worker.bury(job)
print("buried, so not ready:", worker.reserve(timeout=0), "| buried:", producer.peek("buried").body)
print("kicked:", worker.kick(10))
job = worker.reserve()
print("after the kick:", job.body)
worker.delete(job)

producer.put("slow", ttr=2)
job = worker.reserve()
worker.touch(job)
print("touched:", job.body, "| time to run", job.headers["x-ttr"], "ms")
again = Beanstalk()
again.watch("testtube")
late = again.reserve()
print("its time is over, so another worker has it:", late.body)
try:
    worker.delete(job)
except Refused as why:
    print("and the first one is told:", why)
again.delete(late)
