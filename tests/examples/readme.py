"""The README does what it says: its examples are taken from the page and run as printed, but for the ports. So do `docs/`."""

import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from program import PHP, ROOT, Program

sys.path[:0] = [str(ROOT / "tests" / "interop"), str(ROOT / "tests" / "interop" / "python")]
from broker import Broker  # noqa: E402
from pages import Pages  # noqa: E402
from suite import report  # noqa: E402

USUAL_PORTS = ["61613", "15674"]


def block(language, number=0):
    """The text of a fenced block of the README."""
    page = (ROOT / "README.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[number]


class Readme(unittest.TestCase):
    def setUp(self):
        self.broker = Broker().start()
        self.addCleanup(self.broker.close)
        self.folder = Path(tempfile.mkdtemp(prefix="kolejka-readme-"))
        self.addCleanup(shutil.rmtree, self.folder)
        binary = self.folder / "target" / "release" / "kolejka"
        binary.parent.mkdir(parents=True)
        binary.symlink_to(self.broker.binary)

    def here(self, text):
        """The text with the ports of this broker in place of the usual ones."""
        for port in USUAL_PORTS:
            text = text.replace(port, str(self.broker.port))
        return text

    def program(self, *command):
        program = Program(*command, port=self.broker.port, cwd=self.folder)
        self.addCleanup(program.__exit__)
        return program

    def write(self, name, language):
        path = self.folder / name
        path.write_text(self.here(block(language)))
        return path

    def command(self, number):
        """A command of a console block, with the address of this broker."""
        line = block("console", number).splitlines()[0].removeprefix("$ ")
        return ["bash", "-c", f"{line} --url stomp://127.0.0.1:{self.broker.port}"]

    def hears(self, sentence):
        """The second terminal of the page prints the sentence."""
        self.program(*self.command(1)).prints_somewhere(sentence)

    def test_php(self):
        self.program(*PHP, self.write("hello.php", "php")).ends()
        self.hears("Hello from PHP")

    def test_python(self):
        self.program(sys.executable, self.write("hello.py", "python")).ends()
        self.hears("Hello from Python")

    def test_the_browser(self):
        self.write("index.html", "html")
        (self.folder / "node_modules").symlink_to(ROOT / "tests" / "interop" / "js" / "node_modules")
        self.program("node", ROOT / "tests" / "examples" / "open.js", self.folder).prints("opened").ends()
        self.hears("Hello from the browser")

    def test_the_shell(self):
        subprocess.run(self.command(2), cwd=self.folder, check=True, capture_output=True, timeout=20)
        self.hears("Hello from the shell")

    def test_the_first_command_prints_what_the_page_shows(self):
        printed = [words(line) for line in self.broker.output().splitlines()]
        for line in block("console").splitlines()[1:]:
            self.assertIn(words(line), printed)

    def test_the_links_lead_somewhere(self):
        pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        for page in pages:
            for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
                self.assertTrue((page.parent / target).exists(), f"{page.name} points at {target}")


def words(line):
    """A line without what differs from run to run: numbers and paths."""
    return re.sub(r"\S*/\S*kolejka\S*|\d+", "_", line).split()


if __name__ == "__main__":
    sys.exit(report(unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, [Readme, Pages]))))
