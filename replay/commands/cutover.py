"""`replay cutover`."""

import json
import secrets
from typing import Annotated

import typer
from rich.console import Console

from ingester.commands.terminal import safe, terminal
from ingester.settings import load_settings
from ingester.store.connection import connect
from replay.commands.progress import progress as progress_bar
from replay.settings import load_replay_settings
from replay.store.cutover import Cutover, Inspection, Swap, refuse
from replay.store.standing import SUFFIX

SECONDS_MAX = 3_600.0


def cutover(
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without this only say what would happen.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Put a view over the new statistics in the old table's place; the table is kept.

    Refused with the list of what is missing (exit 78) unless everything is
    replayed, ingested, folded and proven equal. Readers go on reading;
    writers get an error that says where to publish.
    """
    settings = load_settings()
    replay_settings = load_replay_settings()
    with (
        connect(settings, "replay-cutover", statement_seconds_max=SECONDS_MAX) as connection,
        progress_bar() as show,
    ):
        job = Cutover(connection, replay_settings, show)
        # First without a lock: a cutover that will be refused holds nobody up.
        found = job.inspect(secrets.randbits(63))
        done = job.cut_over(secrets.randbits(63)) if yes and not found.missing else None
    name = replay_settings.replay_legacy_table
    if as_json:
        typer.echo(json.dumps(_report(found, done), default=str))
    else:
        _show(name, found, done)
    refuse(found)


def _report(found: Inspection, done: Swap | None) -> dict[str, object]:
    return {
        "ready": not found.missing,
        "done": done is not None,
        "requirements": [
            {"claim": each.claim, "ok": each.ok, "missing": each.missing}
            for each in found.requirements
        ],
        "dependents": [
            {"kind": each.kind, "identity": each.identity, "action": each.action,
             "reason": each.reason}
            for each in found.dependents
        ],
        "evidence": found.evidence,
        **describe(done),
    }  # fmt: skip


def describe(done: Swap | None) -> dict[str, object]:
    """What a swap did, for programs."""
    if done is None:
        return {}
    return {
        **done.facts,
        "attempts": done.attempts,
        "stopped_seconds": round(done.stopped_seconds, 4),
        "evidence_sha256": done.evidence_sha256,
    }


def show_swap(console: Console, done: Swap) -> None:
    """How the swap went, for people."""
    console.print(
        f"readers were stopped for {done.stopped_seconds * 1000:.0f} ms, at attempt {done.attempts}"
    )
    console.print(f"evidence in migration_audit, sha256 {done.evidence_sha256}")


def _show(name: str, found: Inspection, done: Swap | None) -> None:
    console = terminal()
    for each in found.requirements:
        mark = "[green]ok     [/]" if each.ok else "[red]MISSING[/]"
        console.print(f"{mark} {each.claim}" + (f": {safe(each.missing)}" if each.missing else ""))
    for dependent in found.dependents:
        console.print(
            f"{dependent.action:<8}{dependent.kind} {dependent.identity}: {dependent.reason}",
            markup=False,
        )
    if done:
        console.print(f"{name} is a view now; the old table is {name}{SUFFIX}")
        show_swap(console, done)
        console.print("Back: replay rollback")
    elif not found.missing:
        console.print("Everything is ready and nothing was changed. To do it: replay cutover --yes")
