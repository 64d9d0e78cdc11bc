"""Unmodified miners of the bittensor SDK against our server: runs the scenarios, in the form of a Rust test program.

Environment: `SN17_BIN`, the sn17 program, or `SN17_AWS_OUTPUTS`, the description of deployed functions, and
`SN17_SCRIPTED_WORKER`, the program that settles what is handed in there, with `SN17_REDIRECTOR`, the sn17 program again,
where miners are to be redirected to them; `SN17_FIXTURES`, the folder of sample files (optional: what needs it is reported
as ignored). Run by `cargo xtask test`, once for each version of the SDK.
"""

import asyncio
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Awaitable, Callable

sys.path.insert(0, str(Path(__file__).parent))

import scenarios  # noqa: E402  (the folder above must be known first)
from deployment import Deployment  # noqa: E402
from network import Network, addresses, process  # noqa: E402
from server import CannotScore, Server, Skip  # noqa: E402

# No scenario needs more than a handful of requests; a dendrite gives up on each after 30 s at most.
SCENARIO_WITHIN_SECS = 120
# Against a server that hangs, the scenarios left then fail at once.
EVERYTHING_WITHIN_SECS = 800


class Runner:
    """Runs tests one after the other and prints what libtest would."""

    def __init__(self) -> None:
        self.passed = self.ignored = 0
        self.failures: list[tuple[str, str]] = []
        self.started = time.monotonic()

    def run(self, test: Callable[..., Awaitable[None]], *arguments: object, server: Server | Deployment | None = None) -> None:
        """Runs one scenario; a failure is shown with the server's last words."""

        secs_left = EVERYTHING_WITHIN_SECS - (time.monotonic() - self.started)

        async def bounded() -> None:
            await asyncio.wait_for(test(*arguments), min(SCENARIO_WITHIN_SECS, secs_left))

        try:
            asyncio.run(bounded())
        except Skip as skip:
            self.ignore(test.__name__, str(skip))
        except Exception:
            log = "" if server is None else f"\nserver:\n{server.log()}"
            self.fail(test.__name__, traceback.format_exc() + log)
        else:
            self.passed += 1
            print(f"test {test.__name__} ... ok", flush=True)

    def ignore(self, name: str, reason: str) -> None:
        self.ignored += 1
        print(f"test {name} ... ignored, {reason}", flush=True)

    def fail(self, name: str, output: str) -> None:
        self.failures.append((name, output))
        print(f"test {name} ... FAILED", flush=True)

    def finish(self) -> int:
        """Prints the output of failed tests and the closing line; gives the exit status."""
        if self.failures:
            print("\nfailures:\n")
            for name, output in self.failures:
                print(f"---- {name} stdout ----\n{output}\n")
            print("failures:")
            for name, _ in self.failures:
                print(f"    {name}")
        verdict = "FAILED" if self.failures else "ok"
        elapsed = time.monotonic() - self.started
        print(
            f"\ntest result: {verdict}. {self.passed} passed; {len(self.failures)} failed; {self.ignored} ignored; "
            f"0 measured; 0 filtered out; finished in {elapsed:.2f}s",
            flush=True,
        )
        return 101 if self.failures else 0


def main() -> int:
    """Runs everything that the environment has a server for."""
    given = os.environ.get("SN17_FIXTURES")
    fixtures = Path(given) if given else None
    outputs = os.environ.get("SN17_AWS_OUTPUTS")
    runner = Runner()
    if outputs is None:
        run_embedded(runner, os.environ["SN17_BIN"], fixtures)
    else:
        worker, redirector = os.environ["SN17_SCRIPTED_WORKER"], os.environ.get("SN17_REDIRECTOR")
        run_deployed(runner, Path(outputs), worker, redirector, fixtures)
    return runner.finish()


def run_embedded(runner: Runner, binary: str, fixtures: Path | None) -> None:
    """What needs no server, the protocol against a simulation, a real splat against real scoring."""
    everything = [scenarios.OFFLINE, scenarios.SIMULATED, scenarios.SCORED]
    print(f"\nrunning {sum(map(len, everything))} tests", flush=True)
    for test in scenarios.OFFLINE:
        runner.run(test, fixtures)
    with tempfile.TemporaryDirectory(prefix="sn17-python-") as folder:
        server = process(binary, Path(folder), simulate=True)
        run_with_server(runner, scenarios.SIMULATED, server, Path(folder), fixtures)
    if fixtures is None:
        for test in scenarios.SCORED:
            runner.ignore(test.__name__, "SN17_FIXTURES is not set")
        return
    with tempfile.TemporaryDirectory(prefix="sn17-python-") as folder:
        server = process(binary, Path(folder), simulate=False)
        run_with_server(runner, scenarios.SCORED, server, Path(folder), fixtures)


def run_deployed(
    runner: Runner, outputs: Path, worker: str, redirector: str | None, fixtures: Path | None
) -> None:
    """The protocol against a deployment, with scripted verdicts."""
    print(f"\nrunning {len(scenarios.SIMULATED)} tests", flush=True)
    with tempfile.TemporaryDirectory(prefix="sn17-python-") as folder:
        server = Deployment(outputs, worker, redirector, Path(folder), addresses())
        run_with_server(runner, scenarios.SIMULATED, server, Path(folder), fixtures)


def run_with_server(
    runner: Runner, tests: list, server: Server | Deployment, folder: Path, fixtures: Path | None
) -> None:
    """Runs scenarios that share a server."""
    try:
        with Network(server, folder, fixtures) as network:
            for test in tests:
                runner.run(test, network, server=server)
    except CannotScore as reason:
        for test in tests:
            runner.ignore(test.__name__, str(reason))
    except Exception:
        for test in tests:
            runner.fail(test.__name__, traceback.format_exc())


if __name__ == "__main__":
    sys.exit(main())
