"""`ingester verify`."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from ingester.commands.terminal import safe, terminal
from ingester.errors import DifferencesFound
from ingester.kafka import Admin, Reader
from ingester.settings import load_settings
from ingester.store.connection import connect
from ingester.store.reading import Row
from ingester.store.verification import snapshot
from ingester.verification import Check, verify_store, verify_topic

_SHOWN = 5


def verify(
    against_topic: Annotated[
        bool,
        typer.Option("--against-topic", help="Also read Kafka again, from the first kept offset."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Prove that ledger, events, rejects and statistics balance; exit 3 where they do not."""
    settings = load_settings()
    checks: list[Check] = []
    with (
        connect(settings, "ingester-verify", statement_seconds_max=3600) as connection,
        snapshot(connection) as frozen,
        Progress(console=Console(stderr=True), transient=True) as bar,
    ):
        task = bar.add_task("verify")

        def show(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=max(total, 1))

        checks += verify_store(frozen, show)
        counts, losses = frozen.counts(), frozen.accepted_losses()
        if against_topic:
            reader = Reader(settings)
            try:
                identity = Admin(settings).identity(settings.kafka_topic)
                checks += verify_topic(frozen, reader, identity, show)
            finally:
                reader.close()
    ok = all(check.ok for check in checks)
    if as_json:
        typer.echo(json.dumps(_report(checks, counts, losses, ok=ok), default=str))
    else:
        _show(checks, counts, losses)
    if not ok:
        failed = ", ".join(check.name for check in checks if not check.ok)
        raise DifferencesFound(f"verification found differences in: {failed}")


def _report(
    checks: list[Check], counts: dict[str, int], losses: list[Row], *, ok: bool
) -> dict[str, Any]:
    return {
        "ok": ok,
        "counts": counts,
        "accepted": losses,
        "checks": [
            {
                "name": check.name,
                "claim": check.claim,
                "ok": check.ok,
                "differences": check.differences,
            }
            for check in checks
        ],
    }


def _show(checks: list[Check], counts: dict[str, int], losses: list[Row]) -> None:
    console = terminal()
    for check in checks:
        mark = "[green]ok  [/]" if check.ok else "[red]FAIL[/]"
        console.print(f"{mark} {check.claim}")
        for difference in check.differences[:_SHOWN]:
            console.print(f"       {json.dumps(difference, default=str)}", markup=False)
        if len(check.differences) > _SHOWN:
            more = len(check.differences) - _SHOWN
            console.print(f"       and {more} more (--json shows up to 100)")
    console.print("     " + ", ".join(f"{name} {count:,}" for name, count in counts.items()))
    for loss in losses:
        where = f"{safe(loss['topic'])}\\[{loss['partition']}]"
        console.print(
            f"     {loss['action']} {where} {loss['first_offset']} to {loss['next_offset']}, "
            f"{loss['acted_at']:%Y-%m-%d %H:%M} by {safe(loss['operator'])}: {safe(loss['why'])}"
        )
