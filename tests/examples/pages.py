"""What `docs/` shows works: each page's Python and PHP is run against the broker, every block is at least well formed."""

import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from program import PHP, ROOT, Program
from broker import Broker

HERE = Path(__file__).resolve().parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
ALL = [*PAGES, *sorted((ROOT / "docs" / "clients").glob("*.md"))]
ENDLESS = "while (!$stomp->error())"  # a worker that is meant to run for ever: only looked at


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


class Pages(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="kolejka-pages-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def broker(self):
        broker = Broker().start()
        self.addCleanup(broker.close)
        return broker

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def well(self, page, *command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, f"{page.name}: {done.stdout}{done.stderr}")

    def run_to_its_end(self, page, command, port):
        with Program(*command, port=port, cwd=self.folder) as program:
            try:
                program.prints_somewhere("page read").ends()
            except AssertionError as error:
                raise AssertionError(f"{page.relative_to(ROOT)}: {error}") from None

    def test_python_is_well_formed(self):
        for page in ALL:
            for text in blocks(page, "python"):
                compile(text, page.name, "exec")

    def test_php_is_well_formed(self):
        for page in ALL:
            texts = [f"function block_{at}() {{\n{text}\n}}" for at, text in enumerate(blocks(page, "php"))]
            self.well(page, "php", "-l", self.write(f"{page.stem}.php", "<?php\n" + "\n".join(texts)))

    def test_javascript_is_well_formed(self):
        for page in ALL:
            for text in blocks(page, "js"):
                self.well(page, "node", "--check", self.write(f"{page.stem}.mjs", text))

    def test_configuration_is_accepted(self):
        for page in ALL:
            for text in blocks(page, "toml"):
                self.well(page, Broker(data=self.folder).binary, "config", "check", self.write(f"{page.stem}.toml", text))

    def test_python_runs_page_by_page(self):
        broker, ran = self.broker(), 0
        for page in filter(lambda page: blocks(page, "python"), PAGES):
            text = "from reader import *\n" + "\n".join(blocks(page, "python")).replace("61613", str(broker.port))
            script = self.write(f"page_{page.stem}.py", f"import sys\nsys.path.insert(0, {str(HERE)!r})\n{text}")
            self.run_to_its_end(page, [sys.executable, script], broker.port)
            ran += 1
        self.assertGreaterEqual(ran, 3)

    def test_php_runs_page_by_page(self):
        broker, ran = self.broker(), 0
        for page in filter(lambda page: blocks(page, "php"), PAGES):
            texts = [text.replace("61613", str(broker.port)) for text in blocks(page, "php") if ENDLESS not in text]
            script = self.write(f"page_{page.stem}.php", f"<?php\nrequire '{HERE}/reader.php';\n" + "\n".join(texts))
            self.run_to_its_end(page, [*PHP, script], broker.port)
            ran += 1
        self.assertGreaterEqual(ran, 1)
