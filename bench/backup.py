"""`python -m bench.backup`: pg_dump and pg_restore of the legacy table and of everything new.

The legacy table at full scale is migrated as an operator does it; then both are dumped (custom
format, compressed as by default) and restored into empty databases in turns. pg_dump refuses a
server that is newer than itself: then a server of its own version is started for this bench.
"""

import contextlib
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from bench import migration, psql, report
from bench.conditions import conditions
from bench.database import Database
from bench.report import Spread
from bench.servers import Servers, server_of_version, servers

_LEGACY: Final = "campaign_daily_stat_entries"
_SIDES: Final = {"legacy table": f"--table={_LEGACY}", "new schema": f"--exclude-table={_LEGACY}"}
_QUICK: Final = (0.02, 1)


def main(
    *,
    scale: Annotated[float, typer.Option(min=0.001, help="Of the legacy system.")] = 1.0,
    repeat: Annotated[int, typer.Option(min=1, help="Dumps and restores of each side.")] = 3,
    quick: Annotated[
        bool, typer.Option("--quick", help="A fiftieth, once: to try the bench.")
    ] = False,
) -> None:
    """Time and size of a backup, and time to restore it, old and new."""
    if quick:
        scale, repeat = _QUICK
    psql.find_psql()
    standing = servers()
    until = datetime.now(UTC).date()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        where = _server_for_pg_dump(stack, standing)
        database = stack.enter_context(Database(where.database_url, "backup"))
        found = conditions(database, where.bootstrap)
        migration.generate(where, database, scale, until)
        migration.migrate(where, database, until)
        database.run("vacuum_all")
        measured: dict[str, dict[str, list[float]]] = {side: {} for side in _SIDES}
        for number in range(1, repeat + 1):
            for side, tables in _SIDES.items():
                for what, value in _back_up(where, database, folder / "dump", tables).items():
                    measured[side].setdefault(what, []).append(value)
            report.say(f"{number} of {repeat}")
    results: dict[str, Any] = {
        side: {what: Spread.of(values) for what, values in each.items()}
        for side, each in measured.items()
    }
    _show(results)
    report.write(
        "backup",
        found,
        {
            side: {what: spread.as_json() for what, spread in each.items()}
            for side, each in results.items()
        },
    )


def _server_for_pg_dump(stack: contextlib.ExitStack, standing: Servers) -> Servers:
    with Database(standing.database_url, "backup", migrated=False) as database:
        server = int(database.value("server_version").partition(".")[0])
    ours = psql.major_version()
    if ours >= server:
        return standing
    report.say(f"pg_dump {ours} does not read PostgreSQL {server}: starting a PostgreSQL {ours}")
    return Servers(standing.bootstrap, stack.enter_context(server_of_version(ours)))


def _back_up(where: Servers, database: Database, file: Path, tables: str) -> dict[str, float]:
    dump_seconds = psql.back_up(database.url, file, tables)
    with Database(where.database_url, "restore", migrated=False) as empty:
        restore_seconds = psql.restore(empty.url, file)
    return {
        "dump_seconds": dump_seconds,
        "restore_seconds": restore_seconds,
        "dump_mib": file.stat().st_size / 2**20,
    }


def _show(results: dict[str, dict[str, Spread]]) -> None:
    old, new = results.values()
    report.table(
        "backup, median (min-max)",
        ("", *results, "legacy/new"),
        (
            (
                what.replace("_", " "),
                old[what].told(2),
                new[what].told(2),
                f"{old[what].median / new[what].median:.1f}",
            )
            for what in old
        ),
    )


if __name__ == "__main__":
    typer.run(main)
