"""`python -m tests.faults.point run …`: an `ingester` that strikes itself at a named stage.

The blow falls inside the call of `ingester.stage`, so that it hits exactly there, or a given time
after it, in the middle of what the stage does. The ingester itself knows nothing of it.

FAULT_STAGE and FAULT_TIMES say where and at the how-manieth time, FAULT_SIGNAL (KILL, STOP) what,
FAULT_AFTER_SECONDS how long after.
"""

import os
import signal
import threading

from ingester.cli import main
from ingester.stage import listen


class Blow:
    """Counts how often a stage is reached, and strikes once."""

    def __init__(self, stage: str, times: int, sign: signal.Signals, after_seconds: float) -> None:
        self._stage, self._left = stage, times
        self._sign, self._after_seconds = sign, after_seconds

    def __call__(self, name: str) -> None:
        """A stage is reached."""
        if name != self._stage:
            return
        self._left -= 1
        if self._left == 0 and self._after_seconds:
            threading.Timer(self._after_seconds, self._strike).start()
        elif self._left == 0:
            self._strike()

    def _strike(self) -> None:
        os.kill(os.getpid(), self._sign)


if __name__ == "__main__":
    listen(
        Blow(
            os.environ["FAULT_STAGE"],
            int(os.environ["FAULT_TIMES"]),
            signal.Signals[f"SIG{os.environ['FAULT_SIGNAL']}"],
            float(os.environ["FAULT_AFTER_SECONDS"]),
        )
    )
    main()
