"""Settles rejects: publishes those again that are events by now, or discards them.

A reject is judged again first, since the window or the contract may have changed; what is still
refused stays where it is. Publishing comes before the mark, so a crash between them publishes some
again: an event keeps its identity, and the second of two counts as a duplicate. Nothing is lost and
nothing counted twice.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final, Protocol

from ingester.decoder import decode
from ingester.outcomes import Headers, Rejected, Window

_TAKEN_AT_ONCE: Final = 500
"""Rejects of one transaction: with values of 1 MiB still something a machine can hold."""


class Reject(Protocol):
    """What is asked of a reject; see `ingester.store.quarantine.StoredReject`."""

    @property
    def reject_id(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...
    @property
    def reason_code(self) -> str: ...
    @property
    def is_cut(self) -> bool: ...


Take = Callable[[int, int], AbstractContextManager[Sequence[Reject]]]
"""The rejects after an id, at most so many, locked for the block; its end commits."""


@dataclass(slots=True)
class Settled:
    """What became of the selected rejects: settled, or refused again by reason."""

    settled: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def requeue(
    take: Take,
    window: Window,
    publish: Callable[[Sequence[Reject]], None] | None,
    mark: Callable[[Sequence[int]], None],
    progress: Callable[[int], None],
) -> Settled:
    """Publish all that are valid by now; `publish` returns when they are delivered.

    None instead of `publish`: only tell.
    """

    def judged(rejects: Sequence[Reject], settled: Settled) -> list[Reject]:
        outcomes = decode(
            [each.value for each in rejects], lambda index: rejects[index].headers, window
        )
        valid = []
        for each, outcome in zip(rejects, outcomes, strict=True):
            if each.is_cut:
                settled.refused[each.reason_code] += 1
            elif isinstance(outcome, Rejected):
                settled.refused[str(outcome.reason)] += 1
            else:
                valid.append(each)
        return valid

    def carry_out(rejects: Sequence[Reject]) -> None:
        if publish is not None:
            publish(rejects)
            mark([each.reject_id for each in rejects])

    return _settle(take, judged, carry_out, progress)


def discard(
    take: Take, mark: Callable[[Sequence[int]], None] | None, progress: Callable[[int], None]
) -> Settled:
    """Mark all as discarded; None instead of `mark`: only tell."""

    def carry_out(rejects: Sequence[Reject]) -> None:
        if mark is not None:
            mark([each.reject_id for each in rejects])

    return _settle(take, lambda rejects, _: list(rejects), carry_out, progress)


def _settle(
    take: Take,
    judged: Callable[[Sequence[Reject], Settled], list[Reject]],
    carry_out: Callable[[Sequence[Reject]], None],
    progress: Callable[[int], None],
) -> Settled:
    settled, after = Settled(), 0
    while True:
        with take(after, _TAKEN_AT_ONCE) as rejects:
            chosen = judged(rejects, settled)
            if chosen:
                carry_out(chosen)
        if not rejects:
            return settled
        settled.settled += len(chosen)
        after = rejects[-1].reject_id
        progress(len(rejects))
