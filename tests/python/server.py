"""`sn17 serve` as a child process, and the little HTTP that a client and the simulation's control routes need."""

import contextlib
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

READY_WITHIN_SECS = 60
# The scoring process may have to fetch its runtime library first.
READY_TO_SCORE_WITHIN_SECS = 330
# The server lets open requests finish; there are none by then.
STOP_WITHIN_SECS = 10
ANSWER_WITHIN_SECS = 20
LOG_LINES_SHOWN = 40
# What the server says when scoring needs something that this machine lacks and that is not ours to bring.
NO_SCORING_LIBRARY = "ONNX Runtime is not at hand and cannot be fetched"


class ServerDown(Exception):
    """The server did not come up."""


class CannotScore(Exception):
    """This machine has no library to score with."""


class Skip(Exception):
    """A scenario cannot be tried here; says why."""


def end(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """Asks a process to end and, if it does not, ends it."""
    process.terminate()
    try:
        process.wait(STOP_WITHIN_SECS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def last_lines(log: Path) -> str:
    """The end of a log, for messages."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])


class Client:
    """What a client does, against whatever serves at `url`."""

    url: str

    @property
    def miners_url(self) -> str:
        """Where miners send their requests."""
        return self.url

    @property
    def host(self) -> str:
        return urllib.parse.urlsplit(self.miners_url).hostname

    @property
    def port(self) -> int:
        return urllib.parse.urlsplit(self.miners_url).port

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict | None = None,
        within_secs: float = ANSWER_WITHIN_SECS,
    ) -> bytes:
        request = urllib.request.Request(self.url + path, data=body, headers=headers or {}, method=method)
        with urllib.request.urlopen(request, timeout=within_secs) as response:
            return response.read()

    def ask_in_words(self, key: str, prompt: str) -> str:
        """Adds a text task; gives its id."""
        headers = {"content-type": "application/json", "x-api-key": key}
        body = json.dumps({"prompt": prompt}).encode()
        return json.loads(self._request("POST", "/add_task", body, headers))["id"]

    def ask_by_picture(self, key: str, png: bytes) -> str:
        """Adds an image task; gives its id."""
        mark = "sn17-python-miners"
        head = (
            f'--{mark}\r\nContent-Disposition: form-data; name="image"; filename="prompt.png"\r\n'
            "Content-Type: image/png\r\n\r\n"
        )
        body = head.encode() + png + f"\r\n--{mark}--\r\n".encode()
        headers = {"content-type": f"multipart/form-data; boundary={mark}", "x-api-key": key}
        return json.loads(self._request("POST", "/add_task", body, headers))["id"]

    def status(self, key: str, task: str) -> str:
        """What `get_status` says of a task."""
        return json.loads(self._request("GET", f"/get_status?id={task}", headers={"x-api-key": key}))["status"]

    def result(self, key: str, task: str) -> bytes:
        """The best result of a task, as a client downloads it."""
        return self._request("GET", f"/get_result?id={task}", headers={"x-api-key": key})


class Server(Client):
    """A running server over a data folder of its own; a context manager that ends it for certain."""

    def __init__(self, binary: str, folder: Path, validator: str, miners: list[str], policy: dict, simulate: bool):
        self.binary = binary
        self.data = folder / "data"
        self.log_file = folder / "serve.log"
        self.validator = validator
        self.policy = policy
        self.data.mkdir(parents=True)
        neurons = [{"uid": uid, "hotkey": hotkey} for uid, hotkey in enumerate(miners, start=1)]
        (self.data / "metagraph.json").write_text(json.dumps({"neurons": neurons}))
        policy_file = folder / "policy.json"
        policy_file.write_text(json.dumps(policy))
        self.command = [binary, "serve", "--listen", "127.0.0.1:0", "--data", str(self.data)]
        self.command += ["--validator-hotkey", validator, "--policy", str(policy_file)]
        self.command += ["--simulate"] if simulate else []
        self.ready_within_secs = READY_WITHIN_SECS if simulate else READY_TO_SCORE_WITHIN_SECS

    def __enter__(self) -> "Server":
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        # Raising would not do: a dendrite swallows whatever is raised while it waits for an answer.
        signal.signal(signal.SIGTERM, lambda *_: (self.process.kill(), os._exit(1)))
        try:
            self._await_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Asks the process to end and, if it does not, ends it."""
        end(self.process)

    def _await_ready(self) -> None:
        deadline = time.monotonic() + self.ready_within_secs
        running = self.data / "running.json"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                reasons = [line for line in self.log().splitlines() if NO_SCORING_LIBRARY in line]
                if reasons:
                    raise CannotScore(reasons[-1])
                raise ServerDown(f"the server ended with {self.process.returncode}\n{self.log()}")
            with contextlib.suppress(OSError, ValueError):
                self.url = json.loads(running.read_text())["url"]
                self._request("GET", "/healthz")
                return
            time.sleep(0.05)
        raise ServerDown(f"the server was not ready in time\n{self.log()}")

    def log(self) -> str:
        """The last lines that the server has written."""
        return last_lines(self.log_file)

    # --- the simulation's control routes ---

    def script_verdict(self, **verdict: object) -> None:
        """What becomes of a submission to come."""
        self._control("verdict", verdict)

    def script_task(self, hotkey: str, prompt: str) -> None:
        """The prompt of a miner's next synthetic task."""
        self._control("task", {"hotkey": hotkey, "prompt": prompt})

    @contextlib.contextmanager
    def later(self, secs: float):
        """The server's clock runs ahead by `secs` within this context."""
        self._control("clock", {"offset_ms": round(secs * 1000)})
        try:
            yield
        finally:
            self._control("clock", {"offset_ms": 0})

    def _control(self, route: str, body: dict) -> None:
        self._request(
            "POST", f"/simulate/{route}", json.dumps(body).encode(), {"content-type": "application/json"}
        )

    # --- an operator ---

    def api_key(self) -> str:
        """A new API key, made as an operator makes one."""
        command = [self.binary, "keys", "add", "--owner", "python miners", "--data", str(self.data)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_WITHIN_SECS, check=True)
        return done.stdout.strip()
