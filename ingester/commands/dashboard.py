"""`ingester dashboard`."""

from typing import Annotated

import typer

from ingester.commands.why import CampaignColumn, DateColumn
from ingester.errors import SettingsError
from ingester.logs import set_up_logs
from ingester.repository.explanation import DEFAULT_COLUMNS, LegacyColumns
from ingester.settings import load_settings


def dashboard(
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="INGESTER_DASHBOARD_PORT (8090).")
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(help="INGESTER_DASHBOARD_HOST (127.0.0.1); elsewhere needs a token."),
    ] = None,
    campaign_column: CampaignColumn = DEFAULT_COLUMNS.campaign_id,
    date_column: DateColumn = DEFAULT_COLUMNS.stat_date,
) -> None:
    """The live web page of the statistics, and its JSON API under /api; SIGTERM stops it."""
    settings = load_settings(ingester_dashboard_port=port, ingester_dashboard_host=host)
    set_up_logs(settings, process="dashboard")
    try:
        from ingester.dashboard.server import serve  # noqa: PLC0415 - an extra, and slow to import
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"{error.name} is missing: pip install 'campaign-event-ingester[dashboard]'"
        ) from None
    serve(settings, LegacyColumns(campaign_column, date_column))
