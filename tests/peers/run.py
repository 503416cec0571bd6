#!/usr/bin/env python3
"""The same load on Kolejka and on its peers, in turn, in one run, on this machine.

    tests/peers/run.py [--rounds N] [--only NAME,NAME]

Persistent messages of 1 KiB, a receipt and an ACK each, two producers and two consumers, at most 256 unconfirmed. Each
broker syncs to the disk before it confirms; apart from that each runs with the defaults of its package. Peers that are
not installed are left out, and said so: `apt install rabbitmq-server activemq` brings two of them (their services need
not run: each is started here, on loopback, with a data directory of its own), and ARTEMIS_HOME names an unpacked
Apache Artemis. Prints the medians of the rounds; docs/performance.md keeps them.
"""

import argparse
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RELEASE = ROOT / "target" / "release"


class Peer:
    """A broker that can be started. `messages` is how many each producer sends, so that a round takes some seconds."""

    name = ""
    messages = 50_000

    def missing(self):
        """What has to be installed first, if anything."""

    def command(self, home, port):
        """What to run, with which environment."""
        raise NotImplementedError

    def __enter__(self):
        self.home = Path(tempfile.mkdtemp(prefix=f"peer-{self.name}-"))
        self.port = free_port()
        command, environment = self.command(self.home, self.port)
        with open(self.home / "output", "wb") as output:
            self.process = subprocess.Popen(
                command, env=os.environ | environment, stdout=output, stderr=output, start_new_session=True
            )
        self.wait_until_it_listens()
        return self

    def wait_until_it_listens(self):
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        sys.exit(f"{self.name} does not start: {(self.home / 'output').read_text()[-2000:]}")

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def server(self):
        """The process whose time counts: the one of the group that has used most."""
        group = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and group_of(int(pid)) == self.process.pid]
        return max(group, key=ticks)


class Kolejka(Peer):
    name = "kolejka"
    messages = 400_000

    def command(self, home, port):
        return [RELEASE / "kolejka", "--data", home / "data", "--listen", f"127.0.0.1:{port}"], {}


class RabbitMQ(Peer):
    name = "rabbitmq"
    messages = 50_000

    def missing(self):
        return None if shutil.which("rabbitmq-server") else "apt install rabbitmq-server"

    def command(self, home, port):
        (home / "rabbitmq.conf").write_text(
            "listeners.tcp = none\n"
            f"stomp.listeners.tcp.1 = 127.0.0.1:{port}\n"
            "stomp.default_user = guest\nstomp.default_pass = guest\ndefault_vhost = measure\nstomp.default_vhost = measure\n"
        )
        (home / "plugins").write_text("[rabbitmq_stomp].\n")
        node, epmd = free_port(), free_port()
        environment = {
            "HOME": str(home),
            "RABBITMQ_NODENAME": f"measure-{port}@localhost",
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(home / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
            "RABBITMQ_DIST_PORT": str(node),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(epmd),
        }
        # The packaged command changes to a user of its own; the one that it wraps does not.
        wrapped = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
        return [wrapped if wrapped.exists() else "rabbitmq-server"], environment


class ActiveMQ(Peer):
    name = "activemq"
    messages = 20_000
    home_of_package = Path("/usr/share/activemq")

    def missing(self):
        has_it = (self.home_of_package / "bin" / "activemq.jar").exists() and shutil.which("java")
        return None if has_it else "apt install activemq"

    def command(self, home, port):
        (home / "conf").mkdir()
        (home / "conf" / "activemq.xml").write_text(
            '<beans xmlns="http://www.springframework.org/schema/beans"'
            ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="'
            "http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans-2.0.xsd "
            'http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">'
            '<broker xmlns="http://activemq.apache.org/schema/core" useJmx="false" brokerName="measure" '
            f'dataDirectory="{home}/data"><persistenceAdapter><kahaDB directory="{home}/data/kahadb"/>'
            f'</persistenceAdapter><transportConnectors><transportConnector name="stomp" uri="stomp+nio://127.0.0.1:{port}"/>'
            "</transportConnectors></broker></beans>"
        )
        return [
            "java", "-Xmx1g", f"-Dactivemq.home={self.home_of_package}", f"-Dactivemq.base={home}",
            f"-Dactivemq.conf={home}/conf", f"-Dactivemq.data={home}/data", "-jar",
            self.home_of_package / "bin" / "activemq.jar", "start", f"xbean:file:{home}/conf/activemq.xml",
        ], {}  # fmt: skip


class Artemis(Peer):
    name = "artemis"
    messages = 50_000

    def missing(self):
        has_it = os.environ.get("ARTEMIS_HOME") and shutil.which("java")
        return None if has_it else "unpack Apache Artemis and name it in ARTEMIS_HOME"

    def command(self, home, port):
        subprocess.run(
            [Path(os.environ["ARTEMIS_HOME"]) / "bin" / "artemis", "create", home / "broker", "--user", "a",
             "--password", "a", "--allow-anonymous", "--no-web", "--no-amqp-acceptor", "--no-mqtt-acceptor",
             "--no-hornetq-acceptor", "--no-stomp-acceptor", "--host", "127.0.0.1", "--default-port", str(port),
             "--no-autotune", "--nio", "--queues", "measure.0,measure.1", "--silent"],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        # What the load calls a queue is an address there.
        broker = home / "broker" / "etc" / "broker.xml"
        acceptor = f'<acceptor name="artemis">tcp://127.0.0.1:{port}?protocols=STOMP;anycastPrefix=/queue/'
        broker.write_text(re.sub(r'<acceptor name="artemis">[^<]*', acceptor, broker.read_text()))
        return [home / "broker" / "bin" / "artemis", "run"], {}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def group_of(pid):
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def ticks(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
    except OSError:
        return 0


def measure(peer, messages):
    arguments = [RELEASE / "measure", f"127.0.0.1:{peer.port}", "--pid", str(peer.server()), "--messages", str(messages)]
    said = subprocess.run(arguments, capture_output=True, text=True, timeout=600, check=False)
    if said.returncode:
        sys.exit(f"{peer.name}: {said.stderr}")
    figure = lambda pattern: float(re.search(pattern, said.stdout).group(1))  # noqa: E731
    return (
        figure(r"([\d.]+) messages per second"),
        figure(r"([\d.]+) µs of server CPU"),
        figure(r"confirmed after ([\d.]+) ms"),
        figure(r"([\d.]+) ms \(p99\)"),
    )


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", default="")
    chosen = options.parse_args()
    peers = [kind() for kind in (Kolejka, RabbitMQ, ActiveMQ, Artemis)]
    if chosen.only:
        peers = [peer for peer in peers if peer.name in chosen.only.split(",")]
    figures = {}
    for peer in list(peers):
        if missing := peer.missing():
            print(f"{peer.name}: not measured ({missing})")
            peers.remove(peer)
    for round_number in range(1, chosen.rounds + 1):
        for peer in peers:
            with peer:
                # What a virtual machine compiles first, and what a first file costs, is not counted.
                measure(peer, max(1000, peer.messages // 4))
                figures.setdefault(peer.name, []).append(measure(peer, peer.messages))
            print(f"round {round_number}: {peer.name} {figures[peer.name][-1]}", flush=True)
    print("| broker | messages per second | server CPU per message | receipt after, p50 · p99 |\n|---|---|---|---|")
    for name, rounds in figures.items():
        rate, cpu, half, most = (statistics.median(column) for column in zip(*rounds))
        print(f"| {name} | {rate:,.0f} | {cpu:.1f} µs | {half:.1f} · {most:.1f} ms |")


if __name__ == "__main__":
    main()
