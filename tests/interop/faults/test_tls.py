"""One port for everything: STOMP and WebSocket, in clear and inside TLS, told apart by the first octets."""

import socket
import ssl

import websocket
from broker import wait_until
from case import Case, settle
from certificate import Certificate

FRAME = "SEND\ndestination:/queue/one\nreceipt:r\n\n{}\0"


class OnePort(Case):
    def setUp(self):
        super().setUp()
        self.certificate = Certificate(self.folder)
        config = self.config(f'[[listener]]\naddress = "127.0.0.1:0"\ntls = {self.certificate.toml()}\n')
        self.served = self.broker(config=config, listen=False).start()

    def web_socket(self, scheme, **options):
        client = websocket.create_connection(
            f"{scheme}://localhost:{self.served.port}/ws", subprotocols=["v12.stomp"], timeout=10, **options
        )
        self.addCleanup(client.close)
        self.assertEqual(client.subprotocol, "v12.stomp")
        client.send("CONNECT\naccept-version:1.2\nhost:localhost\n\n\0")
        self.assertTrue(self.text(client).startswith("CONNECTED\n"))
        return client

    def text(self, client):
        come = client.recv()
        return come.decode() if isinstance(come, bytes) else come

    def test_four_ways_in_meet_in_one_queue(self):
        self.assertIn("TLS", self.served.output())
        self.send(self.wire(self.served), "/queue/one", [b"plain"])
        self.send(self.wire(self.served, tls=self.certificate.context()), "/queue/one", [b"tls"])
        for name, client in [
            ("ws", self.web_socket("ws")),
            ("wss", self.web_socket("wss", sslopt={"ca_certs": str(self.certificate.certificate)})),
        ]:
            client.send(FRAME.format(name))
            self.assertTrue(self.text(client).startswith("RECEIPT\nreceipt-id:r\n"))
        secure = self.wire(self.served, tls=self.certificate.context())
        taken = [body for _, body in self.take(secure, "/queue/one", 4)]
        self.assertEqual(taken, [b"plain", b"tls", b"ws", b"wss"])

    def test_large_messages_cross_tls_both_ways(self):
        wire = self.wire(self.served, tls=self.certificate.context())
        bodies = [bytes([number]) * 3_000_000 for number in range(4)]
        self.send(wire, "/queue/one", bodies, window=2)
        self.assertEqual([body for _, body in self.take(wire, "/queue/one", 4)], bodies)

    def test_versions_that_are_no_longer_safe_are_refused(self):
        for version in [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]:
            context = self.certificate.context()
            context.minimum_version = context.maximum_version = version
            settle(self.wire(self.served, tls=context))
        # A ClientHello of TLS 1.1, octet by octet: libraries of today do not write it any more.
        hello = b"\3\2" + bytes(32) + b"\0" + b"\0\2\0\x2f" + b"\1\0"
        hello = b"\1" + len(hello).to_bytes(3, "big") + hello
        with socket.create_connection(("127.0.0.1", self.served.port), timeout=5) as old:
            old.sendall(b"\x16\3\1" + len(hello).to_bytes(2, "big") + hello)
            self.assertEqual(old.recv(1), b"\x15", "an alert")
        wait_until(lambda: "TLS handshake failed" in self.served.output(), what="a line in the log")


class NoCertificate(Case):
    def test_tls_gets_an_alert_and_one_sentence_in_the_log(self):
        with self.broker() as broker:
            context = ssl._create_unverified_context()
            with self.assertRaisesRegex(ssl.SSLError, "(?i)alert|handshake"):
                self.wire(broker, tls=context)
            said = "the peer speaks TLS, and this listener has no certificate"
            wait_until(lambda: said in broker.output(), what="a line in the log")
            self.assertEqual(broker.output().count(said), 1)
            self.send(self.wire(broker), "/queue/well", [b"others are served"])
