"""A database with a history, in which new events arrive and are folded as in life."""

import contextlib
import time
from dataclasses import dataclass, field

from bench import report
from bench.arrivals import EVENTS, Arrivals
from bench.database import Database
from bench.history import History
from ingester.settings import load_settings
from ingester.store.refreshing import RefreshStore


@dataclass(slots=True)
class Past:
    """One database with its refresher and new events; and what folding cost, by circumstance."""

    history: History
    database: Database
    arrivals: Arrivals
    store: RefreshStore
    batches_max: int
    fold_seconds: dict[str, list[float]] = field(default_factory=dict)
    summarize_seconds: dict[str, list[float]] = field(default_factory=dict)

    def round(self, circumstance: str | None, late_share: float) -> None:
        """Write, fold, summarise; without a circumstance nothing is noted."""
        self.arrivals.write(late_share)
        began = time.perf_counter()
        _, events = self.store.fold(self.batches_max)
        folded = time.perf_counter()
        self.store.summarize()
        ended = time.perf_counter()
        if events != EVENTS:
            raise RuntimeError(f"{events} events were folded instead of {EVENTS}")
        if circumstance is not None:
            self.fold_seconds.setdefault(circumstance, []).append(folded - began)
            self.summarize_seconds.setdefault(circumstance, []).append(ended - folded)

    def switch_autovacuum_on(self) -> None:
        """Do what it would have done by now, and let it do the rest."""
        for (table,) in self.database.rows("tables_of_the_refresh"):
            self.database.run("vacuum", {"table": table})
            self.database.run("autovacuum_on", {"table": table})


def past_of(stack: contextlib.ExitStack, server_url: str, history: History) -> Past:
    """A database with this history, folded; it goes with the stack."""
    report.say(f"writing a history of {history.events:,} events of {history.campaigns:,} campaigns")
    began = time.monotonic()
    database = stack.enter_context(Database(server_url, "refresh"))
    settings = load_settings(database_url=database.url)
    history.write(database)
    history.fold(settings)
    report.say(f"  took {time.monotonic() - began:.0f} s")
    past = Past(
        history=history,
        database=database,
        arrivals=Arrivals(settings, history, seed=1),
        store=RefreshStore(settings),
        batches_max=settings.ingester_refresh_batches_max,
    )
    stack.callback(past.arrivals.close)
    stack.callback(past.store.close)
    return past
