"""One running server: started in its own session, known by pid and start time, stopped for certain.

A pid alone is no identity: it may belong to somebody else by the time `make down` reads it. The
start time goes with it everywhere, and nothing is signalled unless both still match.

A leashed server dies with the process that started it, however that ends (a pytest killed with
SIGKILL leaves no broker behind). The leash is a shell that blocks on a pipe we hold open; the
kernel closes the pipe for us. PR_SET_PDEATHSIG would be Linux only, ends with the starting thread
instead of the process, and is cleared when the account changes.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from tests.services.account import Account
from tests.services.errors import ServiceError

_POLL_SECONDS = 0.02
_KILL_SECONDS = 10.0


def started_at(pid: int) -> str | None:
    """When this pid started, in the system's own unit; None when it is gone or a zombie."""
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():  # macOS, BSD
        asked = ["ps", "-o", "lstart=", "-p", str(pid)]
        return (
            subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
            or None
        )
    try:
        # The name in parentheses may hold anything; the fields after it are plain.
        fields = stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


class ServerProcess:
    """A server we started, or one found again by the identity that an earlier run recorded."""

    def __init__(self, name: str, pid: int, started: str, log: Path | None = None) -> None:
        self.name, self.pid, self.started, self.log = name, pid, started, log
        self._child: subprocess.Popen[bytes] | None = None
        self._leash: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        account: Account | None = None,
        environment: Mapping[str, str] | None = None,
        leashed: bool = False,
    ) -> "ServerProcess":
        """Start it in its own session (Ctrl-C is for us, not for it), output appended to `log`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            child = _spawn(command, output, account, environment)
        process = cls(name, child.pid, started_at(child.pid) or "", log)
        process._child = child
        if leashed:
            script = 'read -r _; kill -9 "$1" 2>/dev/null'
            process._leash = subprocess.Popen(
                ["/bin/sh", "-c", script, "sh", str(child.pid)],
                stdin=subprocess.PIPE,
                cwd="/",
                start_new_session=True,
            )
        return process

    def alive(self) -> bool:
        """Whether this very process still runs."""
        if self._child is not None and self._child.poll() is not None:
            return False
        return started_at(self.pid) == self.started

    def wait_until(self, answers: Callable[[], bool], seconds: float) -> None:
        """Return once it answers. One that ends, or takes longer, is an error, and killed."""
        deadline = time.monotonic() + seconds
        while not answers():
            ended, late = not self.alive(), time.monotonic() > deadline
            if ended or late:
                self.stop(signal.SIGKILL, _KILL_SECONDS)
                what = "ended while starting" if ended else f"did not answer within {seconds:.0f} s"
                raise ServiceError(f"{self.name} {what}; see {self.log}")
            time.sleep(_POLL_SECONDS)

    def stop(self, sign: signal.Signals, seconds: float) -> None:
        """Ask it to stop with `sign`; after `seconds` it is killed."""
        self._unleash()
        for attempt, patience in ((sign, seconds), (signal.SIGKILL, _KILL_SECONDS)):
            if self._signal(attempt) and self._gone_within(patience):
                return
            if not self.alive():
                return
        raise ServiceError(f"{self.name} (pid {self.pid}) outlived SIGKILL.")

    def _signal(self, sign: signal.Signals) -> bool:
        if not self.alive():
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, sign)
        return True

    def _gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        if self._child is not None:
            self._child.wait()  # it may still be a zombie of ours
        return True

    def _unleash(self) -> None:
        if self._leash is not None:
            self._leash.kill()
            self._leash.communicate()
            self._leash = None


def _spawn(
    command: Sequence[str | Path],
    output: IO[bytes],
    account: Account | None,
    environment: Mapping[str, str] | None,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd="/",  # the checkout may be closed to the account
        env=None if environment is None else dict(environment),
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
