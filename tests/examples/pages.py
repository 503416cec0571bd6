"""What `docs/` shows works: the Python and PHP of each section is run against the broker, every block is well formed."""

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
    return blocks_of(page.read_text(), language)


def blocks_of(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def sections(language):
    """Sections of all pages that have blocks in that language: page, title, and what a reader would paste."""
    for page in PAGES:
        for section in re.split(r"^## ", page.read_text(), flags=re.MULTILINE):
            if texts := [text for text in blocks_of(section, language) if ENDLESS not in text]:
                yield page, section.splitlines()[0], "\n".join(texts)


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

    def reads_to_the_end(self, language, command, prelude):
        broker, ran = self.broker(), 0
        for page, title, text in sections(language):
            script = self.write(f"section.{language}", prelude + text.replace("61613", str(broker.port)))
            with Program(*command, script, port=broker.port, cwd=self.folder) as program:
                try:
                    program.prints_somewhere("page read").ends()
                except AssertionError as error:
                    raise AssertionError(f"{page.relative_to(ROOT)}, {title}: {error}") from None
            ran += 1
        self.assertGreaterEqual(ran, 5)

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

    def test_python_runs_section_by_section(self):
        prelude = f"import sys\nsys.path.insert(0, {str(HERE)!r})\nfrom reader import *\n"
        self.reads_to_the_end("python", [sys.executable], prelude)

    def test_php_runs_section_by_section(self):
        self.reads_to_the_end("php", PHP, f"<?php\nrequire '{HERE}/reader.php';\n")
