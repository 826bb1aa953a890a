"""An `ingester` process in a process group of its own, its output in files, its log followed.

The log is how a test knows where the process is: the worker logs every stage of a batch at debug
level, one JSON object a line.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.002
PATIENCE = 3.0
"""Deadlines are named for a quiet machine, and this many times as long is waited: they end what
hangs, and judge no speed."""
Line = dict[str, Any]


class ProcessLog:
    """Reads a log file as it grows; lines that are not ours are kept as `noise`."""

    def __init__(self, path: Path) -> None:
        self.lines: list[Line] = []
        self.noise: list[str] = []
        self._path = path
        self._position = 0

    def new(self) -> list[Line]:
        """The lines written since the last look; a line under way is left for the next."""
        with self._path.open("rb") as file:
            file.seek(self._position)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._position += len(whole)
        found = []
        for raw in whole.splitlines():
            try:
                found.append(json.loads(raw))
            except ValueError:
                self.noise.append(raw.decode(errors="replace"))
        self.lines += found
        return found

    def named(self, event: str, **facts: object) -> list[Line]:
        """All lines so far with this event name and these facts."""
        self.new()
        return [line for line in self.lines if matches(line, event, facts)]


def matches(line: Line, event: str, facts: Mapping[str, object]) -> bool:
    """Whether a line has this event name and these facts."""
    return line.get("event") == event and facts.items() <= line.items()


class Running:
    """A started process. Whoever starts it ends it: `end`, or the `Ingester` that made it."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.out = log.with_suffix(".out")
        self.log = ProcessLog(log)
        with log.open("wb") as errors, self.out.open("wb") as output:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                cwd=log.parent,  # away from the checkout: its .env is not for tests
                env=dict(environment),
                start_new_session=True,
            )
        self._log_path = log
        self.started_at = time.monotonic()

    @property
    def pid(self) -> int:
        """Its process id; also the id of its process group."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code, None while it runs; -9 for SIGKILL."""
        return self._process.poll()

    @property
    def stderr(self) -> str:
        """Everything on standard error."""
        return self._log_path.read_text(errors="replace")

    @property
    def stdout(self) -> str:
        """Everything on standard output."""
        return self.out.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Wait for its end; returns the exit code."""
        try:
            return self._process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self._log_path.name} still runs after {seconds * PATIENCE:g} s:\n{self.tail()}"
            ) from None

    def until(self, event: str, seconds: float, *, times: int = 1, **facts: object) -> Line:
        """Wait for a log line with these facts (its n-th occurrence since the start)."""
        wait_for(
            lambda: len(self.log.named(event, **facts)) >= times,
            seconds,
            lambda: f"no {event} {facts} in {self._log_path.name}:\n{self.tail()}",
            alive=lambda: self.code is None,
        )
        return self.log.named(event, **facts)[times - 1]

    def kill(self) -> None:
        """SIGKILL this process alone, and wait for its end."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """SIGKILL the whole group: nothing that this process started outlives the test."""
        if self._process.poll() is None or _group_lives(self.pid):
            os.killpg(self.pid, signal.SIGCONT)
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def tail(self, characters: int = 3_000) -> str:
        """The end of its log, for messages."""
        return self.stderr[-characters:]


def wait_for(
    condition: Callable[[], bool],
    seconds: float,
    otherwise: Callable[[], str],
    *,
    alive: Callable[[], bool] = lambda: True,
) -> None:
    """Look until the condition holds; fails when time runs out or what it waits for has died."""
    deadline = time.monotonic() + seconds * PATIENCE
    while not condition():
        lives = alive()
        if not lives and condition():
            return
        if not lives or time.monotonic() > deadline:
            raise AssertionError(otherwise())
        time.sleep(POLL_SECONDS)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
