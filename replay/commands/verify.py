"""`replay verify`."""

import json
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated, Any, Final

import typer

from ingester.commands.terminal import plain_table, safe, terminal
from ingester.errors import DifferencesFound
from ingester.settings import load_settings
from ingester.store.connection import connect
from replay.commands.progress import progress as progress_bar
from replay.settings import load_replay_settings
from replay.store.proofs import Proofs, snapshot
from replay.store.readiness import Progress, progress, watermark
from replay.store.standing import legacy_table
from replay.verification import CLAIMS, Difference, Verdict, differences, judge

_SHOWN: Final = 5
_SECONDS_MAX: Final = 3_600.0


def verify(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object with every differing value.")
    ] = False,
) -> None:
    """Prove that the old table, the events and the statistics agree; exit 3 where they do not."""
    settings = load_settings()
    replay_settings = load_replay_settings()
    with (
        connect(settings, "replay-verify", statement_seconds_max=_SECONDS_MAX) as connection,
        snapshot(connection),
        progress_bar() as show,
    ):
        known = progress(connection)
        table = legacy_table(connection, replay_settings)
        proofs = Proofs(connection, table, known.span, secrets.randbits(63))
        verdict = judge(proofs, show)
        found = differences(proofs, verdict, show)
        if as_json:
            _print_json(verdict, known, watermark(connection), found)
        else:
            _show(verdict, known, found)
    if not verdict.ok:
        raise DifferencesFound(f"verification found differences in: {', '.join(verdict.failed)}")


def head(verdict: Verdict, known: Progress, offsets: list[dict[str, Any]]) -> dict[str, Any]:
    """What was compared and how it came out, without the single differences."""
    return {
        "ok": verdict.ok,
        "cut_date": known.cut_date,
        "floor": known.floor,
        "watermark": offsets,
        "totals": verdict.totals,
        "claims": [
            {
                "name": name,
                "claim": claim,
                "ok": name not in verdict.failed,
                "months": verdict.months.get(name, ()),
                "disagreements": verdict.disagreements.get(name, ()),
            }
            for name, claim in CLAIMS.items()
        ],
    }


def _print_json(
    verdict: Verdict,
    known: Progress,
    offsets: list[dict[str, Any]],
    found: Iterable[tuple[str, Difference]],
) -> None:
    """One JSON object, its last member written as it is found: there may be millions."""
    opening = json.dumps(head(verdict, known, offsets), default=str)[:-1]
    typer.echo(f'{opening}, "differences": [', nl=False)
    for number, (proof, difference) in enumerate(found):
        text = json.dumps({"proof": proof, **asdict(difference)}, default=str)
        typer.echo(f"{',' if number else ''}\n{text}", nl=False)
    typer.echo("]}")


def _show(verdict: Verdict, known: Progress, found: Iterable[tuple[str, Difference]]) -> None:
    console = terminal()
    table = plain_table(
        f"Days before {known.cut_date}" + (f", from {known.floor}" * bool(known.floor))
    )
    table.add_column("metric")
    for name in (
        "old\ntable",
        "replayed\nevents",
        "late live\nevents",
        "all folded\nevents",
        "statistics",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for metric, totals in verdict.totals.items():
        table.add_row(metric, *(f"{totals[name]:,}" for name in totals))
    console.print(table)
    counts: Counter[str] = Counter()
    examples: dict[str, list[Difference]] = {name: [] for name in CLAIMS}
    for proof, difference in found:
        counts[proof] += 1
        if counts[proof] <= _SHOWN:
            examples[proof].append(difference)
    for name, claim in CLAIMS.items():
        mark = "[red]FAIL[/]" if name in verdict.failed else "[green]ok  [/]"
        console.print(f"{mark} {claim}")
        for each in examples[name]:
            console.print(
                f"       {safe(str(each.campaign_id))} {each.day} {each.metric}: "
                f"{each.found:,} instead of {each.expected:,}"
            )
        if counts[name] > _SHOWN:
            console.print(f"       and {counts[name] - _SHOWN:,} more (--json prints all)")
        for row in list(verdict.disagreements.get(name, ()))[:_SHOWN]:
            console.print(f"       {json.dumps(row, default=str)}", markup=False)
