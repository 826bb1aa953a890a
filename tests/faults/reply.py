"""The reply to COMMIT never comes: carried out, and nobody said so."""

import time
from collections.abc import Mapping
from random import Random
from typing import Final

from tests.faults.arena import RECOVERY_SECONDS_MAX, Round
from tests.faults.grounds import Grounds
from tests.faults.proxy import Proxy
from tests.faults.witness import Witness

_BATCH_ROWS: Final = 250


def fight(grounds: Grounds, done: Round, random: Random, *, settings: Mapping[str, str]) -> None:
    """Swallow the replies to the round's number of COMMITs."""
    del random
    wanted = done.faults
    arena = grounds.arena({"INGESTER_BATCH_ROWS_MAX": str(_BATCH_ROWS), **settings})
    try:
        arena.publish(done.seed, wanted * _BATCH_ROWS)
        with Proxy(arena.ingester.database_url) as proxy:
            proxy.swallow_replies(wanted)
            with arena.load(done.seed + 1, rate=1_000):
                worker = arena.worker(DATABASE_URL=proxy.url)
                deadline = time.monotonic() + RECOVERY_SECONDS_MAX + wanted
                while len(worker.log.named("commit_settled")) < wanted:
                    if time.monotonic() > deadline or worker.code is not None:
                        raise AssertionError(
                            f"{proxy.replies_swallowed} swallowed:\n{worker.tail()}"
                        )
                    time.sleep(0.05)
            Witness(arena, [worker], done).tells_the_figures()
        done.faults = proxy.replies_swallowed
        settled = worker.log.named("commit_settled")
        done.note("settled as committed", sum(line["committed"] for line in settled))
        if not all(line["committed"] for line in settled):
            done.differences.append("a COMMIT that was carried out was taken for lost")
        arena.judge(done)
    finally:
        arena.end()
