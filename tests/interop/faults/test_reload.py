"""SIGHUP: users, policies and certificates change under connections that stay; what is broken changes nothing."""

import signal
import subprocess

from broker import wait_until
from case import Case
from certificate import Certificate
from wire import Refused


class Reload(Case):
    def hashed(self, password):
        command = [self.broker().binary, "user", "hash", "--password-stdin"]
        done = subprocess.run(command, input=password, capture_output=True, text=True, check=True)
        return next(word for word in done.stdout.replace('"', " ").split() if word.startswith("$argon2"))

    def write(self, users, more="", tls=None):
        """A configuration of users who may do everything: {name: password hash}."""
        listener = '[[listener]]\naddress = "127.0.0.1:0"\n' + (f"tls = {tls.toml()}\n" if tls else "")
        rights = 'allow = [ { on = "/**", to = ["read", "write", "create"] } ]'
        texts = [f'[[user]]\nname = "{name}"\npassword = "{value}"\n{rights}\n' for name, value in users.items()]
        return self.config("\n".join([more, listener, *texts]))

    def hang_up(self, broker, answer):
        """SIGHUP, and the wait for the line in the log that says what became of it."""
        before = broker.output().count(answer)
        broker.process.send_signal(signal.SIGHUP)
        wait_until(lambda: broker.output().count(answer) > before, what=f"a line with {answer!r}")

    def login(self, name, password):
        return {"login": name, "passcode": password}

    def test_users_come_and_go_and_who_is_in_goes_with_them(self):
        ann, bob, eve = (self.hashed(name) for name in ("ann's", "bob's", "eve's"))
        broker = self.broker(config=self.write({"ann": ann, "eve": eve}), listen=False).start()
        removed, inside = (self.wire(broker, login=self.login(name, f"{name}'s")) for name in ("ann", "eve"))
        with self.assertRaises(Refused):
            self.wire(broker, login=self.login("bob", "bob's"))
        self.write({"bob": bob, "eve": eve})
        self.hang_up(broker, "re-read")
        self.assertEqual(self.error_of(removed)["code"], "login-revoked")
        self.wire(broker, login=self.login("bob", "bob's"))
        with self.assertRaises(Refused) as refused:
            self.wire(broker, login=self.login("ann", "ann's"))
        self.assertEqual(refused.exception.headers["code"], "login-failed")
        self.send(inside, "/queue/inside", [b"still here"])
        self.assertEqual(len(self.take(inside, "/queue/inside", 1)), 1)

    def test_policies_change_for_queues_that_exist(self):
        def policy(length):
            return self.config(f'[[policy]]\nmatch = "/queue/short"\nmax_length = {length}\n')

        broker = self.broker(config=policy(2)).start()
        self.send(self.wire(broker), "/queue/short", [b"1", b"2"])
        with self.assertRaises(Refused) as refused:
            self.send(self.wire(broker), "/queue/short", [b"3"])
        self.assertEqual(refused.exception.headers["code"], "queue-full")
        inside = self.wire(broker)
        policy(3)
        self.hang_up(broker, "re-read")
        self.send(inside, "/queue/short", [b"3"])
        with self.assertRaises(Refused):
            self.send(inside, "/queue/short", [b"4"])

    def test_a_new_certificate_is_served_to_new_connections(self):
        certificate = Certificate(self.folder)
        config = self.config(f'[[listener]]\naddress = "127.0.0.1:0"\ntls = {certificate.toml()}\n')
        broker = self.broker(config=config, listen=False).start()
        first, inside = certificate.der(), self.wire(broker, tls=certificate.context())
        self.assertEqual(inside.socket.getpeercert(binary_form=True), first)
        certificate.renew()
        self.assertNotEqual(certificate.der(), first)
        self.hang_up(broker, "re-read")
        fresh = self.wire(broker, tls=certificate.context())
        self.assertEqual(fresh.socket.getpeercert(binary_form=True), certificate.der())
        self.send(inside, "/queue/tls", [b"still here"])

        good = certificate.context(), certificate.der()
        certificate.certificate.write_text("-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n")
        self.hang_up(broker, "stay")
        self.assertIn("cert.pem", broker.output())
        again = self.wire(broker, tls=good[0])
        self.assertEqual(again.socket.getpeercert(binary_form=True), good[1])
        self.send(inside, "/queue/tls", [b"and still"])

    def test_a_broken_file_changes_nothing_and_says_so(self):
        ann, bob = self.hashed("ann's"), self.hashed("bob's")
        broker = self.broker(config=self.write({"ann": ann}), listen=False).start()
        inside = self.wire(broker, login=self.login("ann", "ann's"))
        for broken in ["[limits]\nbodi = 1\n", "this is no TOML", '[log]\nlevel = 3\n']:
            self.write({"bob": bob}, more=broken)
            self.hang_up(broker, "the old one stays")
            self.wire(broker, login=self.login("ann", "ann's"))
            with self.assertRaises(Refused):
                self.wire(broker, login=self.login("bob", "bob's"))
        (self.folder / "kolejka.toml").unlink()
        self.hang_up(broker, "the old one stays")
        self.send(inside, "/queue/inside", [b"still here"])
