"""A disk whose power is cut: a file system in an image file, of which a copy is taken in no time while it is written to.

The image lies on XFS, which clones a file by reference. What the clone has is what the inner file system had handed to its
disk at that moment; what was only in the page cache is not in it. A clone is mounted as after a cut: its own journal is
replayed. Writes that a drive keeps in a cache of its own, and torn sectors, are not modelled here.

Everything is in one folder, and what is mounted is unmounted by `close`. It needs root and loop devices.
"""

import os
import subprocess
import tempfile
from pathlib import Path

MAKE = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"]}
OUTER_BYTES = 4 << 30  # sparse
INNER_BYTES = 640 << 20


class Unavailable(Exception):
    """What this machine cannot do; why."""


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"{' '.join(command)}: {done.stdout}{done.stderr}".strip())


class Rig:
    def __init__(self, kind):
        self.kind, self.mounted, self.cuts = kind, [], 0
        self._folder = tempfile.TemporaryDirectory(prefix="kolejka-power-")
        self.folder = Path(self._folder.name)
        self.outer, self.inner = self.folder / "outer", self.folder / "inner"
        try:
            if os.geteuid():
                raise Unavailable("it needs root")
            self._image(self.folder / "outer.img", OUTER_BYTES, "xfs")
            self._mount(self.folder / "outer.img", self.outer)
            self._image(self.image, INNER_BYTES, kind)
            self._mount(self.image, self.inner)
        except (Unavailable, FileNotFoundError) as problem:
            self.close()
            raise Unavailable(str(problem)) from None

    @property
    def image(self):
        return self.outer / f"disk{self.cuts}.img"

    @property
    def data(self):
        return self.inner / "data"

    def clone(self):
        """The disk as it is in this moment."""
        run("cp", "--reflink=always", str(self.image), str(self.outer / f"disk{self.cuts + 1}.img"))

    def cut(self):
        """Puts the clone in the place of the disk; nothing of the disk may be in use."""
        self._unmount(self.inner)
        self.image.unlink()
        self.cuts += 1
        self._mount(self.image, self.inner)

    def close(self):
        while self.mounted:
            self._unmount(self.mounted[-1])
        self._folder.cleanup()

    def _image(self, path, size, kind):
        with path.open("wb") as file:
            file.truncate(size)
        run(*MAKE[kind], str(path))

    def _mount(self, image, at):
        at.mkdir(exist_ok=True)
        run("mount", "-o", "loop,nouuid" if image.name != "outer.img" and self.kind == "xfs" else "loop", str(image), str(at))
        self.mounted.append(at)

    def _unmount(self, at):
        run("umount", str(at))
        self.mounted.remove(at)
