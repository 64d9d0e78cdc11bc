"""`sn17 redirector` as a child process: the plain address that miners are given, in front of an edge."""

import subprocess
import threading

from server import end

READY_WITHIN_SECS = 30


class Redirector:
    """A context manager; `url` is where it listens."""

    def __init__(self, binary: str, edge: str):
        self.command = [binary, "redirector", "--listen", "127.0.0.1:0", "--edge", edge]

    def __enter__(self) -> "Redirector":
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        # Ends the reading below, should it say nothing.
        deadline = threading.Timer(READY_WITHIN_SECS, self.process.kill)
        deadline.start()
        said = []
        for line in self.process.stdout:
            said.append(line)
            name, _, address = line.strip().partition(" ")
            if name == "http":
                self.url = address.strip()
                deadline.cancel()
                return self
        deadline.cancel()
        raise RuntimeError(f"the redirector did not start: {''.join(said)}")

    def __exit__(self, *_: object) -> None:
        end(self.process)
