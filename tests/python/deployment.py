"""A deployment, described by the file that `cargo xtask aws up` or `edge up` writes, and a worker for it."""

import contextlib
import json
import os
import subprocess
import time
from pathlib import Path

from redirector import Redirector
from server import Client, ServerDown, Skip, last_lines

WORKER_ENDS_WITHIN_SECS = 30
# A function that has not run yet is started first.
REGISTERED_WITHIN_SECS = 60
# Instances of functions remember for half a second where tasks wait, and that what they remember is as old again.
GIVEN_AWAY_AFTER_SECS = 2


class Deployment(Client):
    """A deployment with miners of our own; a context manager, during which a worker of ours scores.

    With a redirector that is where the miners are sent; clients and operators know the deployment's own address.
    """

    def __init__(self, outputs_file: Path, worker: str, redirector: str | None, folder: Path, miners: list[str]):
        self.outputs_file = outputs_file
        self.worker_program = worker
        self.log_file = folder / "worker.log"
        self.miners = miners
        outputs = json.loads(outputs_file.read_text())
        self.url = outputs["url"]
        self.redirector = Redirector(redirector, self.url) if redirector else None
        self.validator = outputs["validator"]
        self.admin_key = outputs["admin_key"]
        self.policy = outputs["policy"]

    def __enter__(self) -> "Deployment":
        neurons = [{"uid": uid, "hotkey": hotkey} for uid, hotkey in enumerate(self.miners, start=1)]
        self._operate("PUT", "/admin/metagraph", {"neurons": neurons})
        environment = {**os.environ, "SN17_AWS_OUTPUTS": str(self.outputs_file)}
        with self.log_file.open("wb") as log:
            self.worker = subprocess.Popen(
                [self.worker_program],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        with contextlib.ExitStack() as ending:
            ending.callback(self._end_worker)
            if self.redirector:
                ending.enter_context(self.redirector)
            self.ending = ending.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.close()

    def _end_worker(self) -> None:
        # It ends with its input, after what it has in hand.
        with contextlib.suppress(OSError):
            self.worker.stdin.close()
        try:
            self.worker.wait(WORKER_ENDS_WITHIN_SECS)
        except subprocess.TimeoutExpired:
            self.worker.kill()
            self.worker.wait()

    @property
    def miners_url(self) -> str:
        return self.redirector.url if self.redirector else self.url

    def log(self) -> str:
        """The last lines that the worker has written."""
        return last_lines(self.log_file)

    def script_verdict(self, hotkey: str, **verdict: object) -> None:
        """What becomes of a submission to come."""
        if self.worker.poll() is not None:
            raise ServerDown(f"the worker ended with {self.worker.returncode}\n{self.log()}")
        line = json.dumps({"hotkey": hotkey, **verdict}) + "\n"
        self.worker.stdin.write(line.encode())
        self.worker.stdin.flush()

    def script_task(self, hotkey: str, prompt: str) -> None:
        """The prompts of deployed functions are their own."""
        raise Skip("the prompts of this host cannot be chosen")

    @contextlib.contextmanager
    def later(self, secs: float):
        """Within this context it is `secs` later: the clock cannot be moved, so that takes as long."""
        time.sleep(max(secs, 0.0))
        yield

    def api_key(self) -> str:
        """A new API key, made as an operator makes one."""
        return self._operate("POST", "/admin/keys", {"owner": "python miners"})["key"]

    def ask_by_picture(self, key: str, png: bytes) -> str:
        """Adds an image task, and waits until it is given away; gives its id."""
        task = super().ask_by_picture(key, png)
        time.sleep(GIVEN_AWAY_AFTER_SECS)
        return task

    def _operate(self, method: str, path: str, body: dict) -> dict:
        headers = {"content-type": "application/json", "x-admin-key": self.admin_key}
        answer = self._request(method, path, json.dumps(body).encode(), headers, REGISTERED_WITHIN_SECS)
        return json.loads(answer)
