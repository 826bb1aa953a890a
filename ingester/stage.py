"""Named points in the life of a batch: what a log shows, what is timed, where a test may kill.

`stage` is called wherever something begins that can be interrupted. Where nobody listens and the
log level is above debug it costs a call. It must not know who listens, and listeners must not
raise: some stages are passed inside callbacks of librdkafka.

In a batch's order: encode, prepare, leaf (a partition is made), lock, copy, staging, ledger,
commit, committed; or refused, or repeats (it begins again, for rows that are there). Outside of
batches: assign and revoke (inside the group's callbacks), hint (before the offset is committed to
Kafka).
"""

from collections.abc import Callable
from typing import Final

import structlog

log = structlog.get_logger(__name__)

BATCH_STAGES: Final = ("encode", "prepare", "lock", "copy", "staging", "ledger", "commit")
"""Those that take time of their own; each lasts until the next one."""

_listeners: list[Callable[[str], None]] = []


def stage(name: str, **facts: object) -> None:
    """Say that this point is reached."""
    log.debug("batch_stage", stage=name, **facts)
    for listener in _listeners:
        listener(name)


def listen(listener: Callable[[str], None]) -> None:
    """Call `listener` with the name of every stage that this process reaches, for ever."""
    _listeners.append(listener)
