"""A start that must not happen says why in one sentence, by its own exit status, and changes nothing (P15, P25)."""

import hashlib
import socket
import subprocess
from pathlib import Path

from case import Case, run

DAMAGED, CANNOT_CREATE, FAILED, IN_USE, BAD_CONFIG = 65, 73, 74, 75, 78


class StartRefused(Case):
    def assert_refused(self, broker, status, *words):
        """Ends with that status and one line of text, which holds the words."""
        ended, said = broker.refuse()
        self.assertEqual(ended, status, said)
        self.assertEqual(len(said.splitlines()), 1, said)
        self.assertTrue(said.startswith("kolejka: "), said)
        for word in words:
            self.assertIn(word, said)

    def test_data_in_use_by_a_broker_that_goes_on(self):
        with self.broker() as first:
            wire = self.wire(first)
            self.send(wire, "/queue/both", [b"before"])
            for _ in range(3):
                self.assert_refused(self.broker(), IN_USE, "in use by another process", str(self.folder / "data"))
            self.send(wire, "/queue/both", [b"after"])
            self.assertEqual([body for _, body in self.take(wire, "/queue/both", 2)], [b"before", b"after"])
            first.stop()
        with self.broker() as again:
            self.assertIn("(clean)", again.output())

    def test_a_lock_that_another_user_holds_does_not_keep_the_broker_from_starting(self):
        data = self.folder / "data"
        self.folder.chmod(0o755)
        data.mkdir(mode=0o755)
        (data / "lock").touch(mode=0o644)
        hold = "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
        stranger = subprocess.Popen(
            ["/usr/bin/python3", "-c", hold, str(data / "lock")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, user=65534, group=65534,
        )  # fmt: skip
        self.addCleanup(stranger.communicate)
        self.assertEqual(stranger.stdout.readline(), "held\n")
        with self.broker() as broker:
            self.send(self.wire(broker), "/queue/a", [b"1"])
            # The directory and the lock are closed, and the lock is one of our own: it holds against another broker.
            self.assertEqual([path.stat().st_mode & 0o777 for path in (data, data / "lock")], [0o700, 0o600])
            self.assert_refused(self.broker(), IN_USE, "in use by another process")
            broker.stop()

    def test_a_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            config = self.config(f'[[listener]]\naddress = "{address}"\n')
            self.assert_refused(self.broker(config=config, listen=False), CANNOT_CREATE, address, "in use")

    def test_a_data_directory_that_cannot_be_made(self):
        in_the_way = self.folder / "file"
        in_the_way.write_text("not a directory")
        data = str(in_the_way / "data")
        self.assert_refused(self.broker(data=data), CANNOT_CREATE, data)

    def test_a_data_directory_that_cannot_be_written(self):
        self.prepare()
        data = self.folder / "data"
        run("mount", "--bind", str(data), str(data))
        self.addCleanup(run, "umount", str(data))
        run("mount", "-o", "remount,ro,bind", str(data))
        self.assert_refused(self.broker(), FAILED, str(data), "Read-only")

    def test_a_disk_that_is_too_small(self):
        data = self.folder / "small"
        data.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(data))
        self.addCleanup(run, "umount", str(data))
        self.assert_refused(self.broker(data=str(data)), FAILED, "No space left")

    def test_a_configuration_that_is_wrong(self):
        config = self.config('[limits]\nconections = 10\n')
        status, said = self.broker(config=config).refuse()
        self.assertEqual(status, BAD_CONFIG, said)
        for word in [str(config), "conections", "connections", "2"]:
            self.assertIn(word, said)
        self.assertFalse((self.folder / "data").exists())

    def test_a_certificate_that_is_missing(self):
        config = self.config(
            '[[listener]]\naddress = "127.0.0.1:0"\ntls = { certificate = "/nowhere/cert.pem", key = "/nowhere/key.pem" }\n'
        )
        status, said = self.broker(config=config, listen=False).refuse()
        self.assertEqual(status, BAD_CONFIG, said)
        self.assertIn("/nowhere/cert.pem cannot be read", said)


class Damage(Case):
    """One bit of a journal that was stopped in good order is flipped."""

    BODIES = [b"%02d " % number + b"x" * (1 << 20) for number in range(20)]

    def fill(self, bodies):
        with self.broker() as broker:
            self.send(self.wire(broker), "/queue/damage", bodies, window=8)
            broker.stop()
        self.data = self.folder / "data"

    def flip(self, file, offset):
        with open(file, "r+b") as opened:
            opened.seek(offset)
            octet = opened.read(1)[0]
            opened.seek(offset)
            opened.write(bytes([octet ^ 0x10]))

    def digest(self):
        """What the directory holds, to the last bit."""
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(self.data.iterdir())}

    def find(self, needle):
        """The file and the place of octets that are in one segment only."""
        found = [(path, at) for path in self.data.glob("seg-*") if (at := path.read_bytes().find(needle)) >= 0]
        self.assertEqual(len(found), 1)
        return found[0]

    def assert_refuses_untouched(self, file, offset):
        self.flip(file, offset)
        before = self.digest()
        status, said = self.broker().refuse()
        self.assertEqual(status, DAMAGED, said)
        self.assertEqual(len(said.splitlines()), 1, said)
        self.assertIn(Path(file).name, said)
        self.assertRegex(said, r"octet \d+")
        self.assertEqual(self.digest(), before)
        self.flip(file, offset)
        return said

    def test_in_the_segment_that_was_written_last(self):
        self.fill([b"message %d" % number for number in range(300)])
        file, at = self.find(b"message 150")
        said = self.assert_refuses_untouched(file, at)
        named = int(said.split("octet ")[1].split(":")[0])
        self.assertLessEqual(abs(named - at), 300 * 200, "the place that is named is not near the damage")
        with self.broker() as broker:
            self.assertEqual(len(self.drain(broker, "/queue/damage")), 300)

    def test_in_a_sealed_segment(self):
        self.fill(self.BODIES)
        sealed = min(self.data.glob("seg-*"))
        with self.subTest("its header"):
            self.assert_refuses_untouched(sealed, 20)
        with self.subTest("its summary"):
            contents = sealed.read_bytes().rstrip(b"\0")
            # It is the last thing there; whether a batch without bodies is before it depends on how they were gathered.
            self.assert_refuses_untouched(sealed, len(contents) - 10)
        with self.subTest("a body, which nobody gets"):
            file, at = self.find(self.BODIES[9][:20])
            self.assertEqual(file, sealed)
            self.flip(file, at + 500_000)
            with self.broker() as broker:
                taken = [body for _, body in self.drain(broker, "/queue/damage")]
                self.assertEqual(taken, [body for body in self.BODIES if body != self.BODIES[9]])
                self.assertIn(sealed.name, broker.output())
                self.assertRegex(broker.output(), r"damaged and buried .*seg-\w+ at byte \d+")
