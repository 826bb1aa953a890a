"""`ingester run`."""

import sys
import traceback
from typing import Annotated

import typer

from ingester.commands.terminal import report
from ingester.errors import IngesterError
from ingester.kafka import Admin, Reader
from ingester.logs import set_up_logs
from ingester.settings import Settings, load_settings
from ingester.supervisor import Supervisor
from ingester.worker import leave_now, work_alone


def run(
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Consumer processes in the group.")
    ] = 1,
    until_caught_up: Annotated[
        bool,
        typer.Option(
            "--until-caught-up",
            help="Stop with 0 when what the topic holds now has been stored.",
        ),
    ] = False,
    batch_rows: Annotated[
        int | None, typer.Option(help="INGESTER_BATCH_ROWS_MAX for this run.")
    ] = None,
) -> None:
    """Consume the topic and write it to PostgreSQL, exactly once; SIGTERM stops it cleanly."""
    settings = load_settings(ingester_batch_rows_max=batch_rows)
    set_up_logs(settings)
    targets = _ends(settings) if until_caught_up else None
    if workers > 1:
        sys.exit(Supervisor(settings, workers, targets).run())
    code = 0
    try:
        work_alone(settings, "1", targets)
    except IngesterError as error:
        report(error)
        code = error.exit_code
    except Exception:  # noqa: BLE001 - the last line of defence: say it, and leave
        traceback.print_exc()
        code = 1
    leave_now(code)


def _ends(settings: Settings) -> dict[int, int]:
    """The position after the last committed record of every partition, taken once."""
    identity = Admin(settings).identity(settings.kafka_topic)
    reader = Reader(settings)
    try:
        return {part: reader.watermarks(part)[1] for part in range(identity.partitions)}
    finally:
        reader.close()
