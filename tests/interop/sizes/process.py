"""What the system says of a process, and a group of processes whose memory has a limit."""

import re
from pathlib import Path

CLOCK_TICKS = 100
GROUPS = {  # of version 1 and of version 2: where a group is made, and the files in it
    Path("/sys/fs/cgroup/memory"): "memory.limit_in_bytes",
    Path("/sys/fs/cgroup"): "memory.max",
}


def resident(broker, kind="VmRSS"):
    """Bytes of the process in memory; `VmHWM` for the most there ever were."""
    text = Path(f"/proc/{broker.process.pid}/status").read_text()
    return int(re.search(rf"{kind}:\s+(\d+) kB", text)[1]) << 10


def descriptors(broker):
    """How many files and sockets the process has open."""
    return len(list(Path(f"/proc/{broker.process.pid}/fd").iterdir()))


def processor_seconds(broker):
    fields = Path(f"/proc/{broker.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


class MemoryGroup:
    """A control group with a limit of memory, page cache included; what exceeds it is ended by the kernel."""

    def __init__(self, limit_bytes):
        self.folder = None
        for parent, limit in GROUPS.items():
            folder = parent / "kolejka-test"
            try:
                folder.mkdir()
                (folder / limit).write_text(str(limit_bytes))
            except OSError:
                if folder.exists():
                    folder.rmdir()
                continue
            self.folder = folder
            return

    @property
    def wrapper(self):
        """What starts a command within the group."""
        return ["sh", "-c", f'echo $$ > {self.folder}/cgroup.procs; exec "$@"', "sh"]

    def close(self):
        if self.folder:
            self.folder.rmdir()
