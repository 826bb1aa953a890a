"""Grafana's dashboard: every statement in it works as the reader, and tells what the views tell."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from tests.dashboard.site import Site

_DEPLOY: Final = Path(__file__).parents[2] / "deploy" / "grafana"
_DASHBOARD: Final[dict[str, Any]] = json.loads(
    (_DEPLOY / "dashboards" / "campaign-statistics.json").read_text()
)
_PANELS: Final = [panel for panel in _DASHBOARD["panels"] if panel["type"] != "row"]


def expanded(sql: str, campaign: str) -> str:
    """As Grafana's PostgreSQL datasource expands it."""
    quoted = campaign.replace("'", "''")
    return (
        sql.replace("$__timeFrom()", "'2023-10-01T00:00:00Z'")
        .replace("$__timeTo()", "'2099-12-31T23:59:59.999Z'")
        .replace("${campaign:sqlstring}", f"'{quoted}'")
    )


@pytest.fixture
def reader(site: Site) -> Iterator[psycopg.Connection[Any]]:
    """The login of the datasource."""
    with psycopg.connect(site.reader_url, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("panel", _PANELS, ids=lambda panel: panel["title"])
def test_every_panel_reads_as_the_reader(reader: psycopg.Connection[Any], panel: Any) -> None:
    assert panel["datasource"]["uid"] == "campaign-statistics"
    for target in panel["targets"]:
        assert "$" not in expanded(target["rawSql"], "")
        for campaign in ("", "alpha", "o'; DROP TABLE campaigns; --"):
            cursor = reader.execute(expanded(target["rawSql"], campaign).encode())
            names = [column.name for column in cursor.description or ()]
            if target["format"] == "time_series":
                assert names[0] == "time"


def test_the_panels_add_up_to_the_views(site: Site, reader: psycopg.Connection[Any]) -> None:
    sql = next(panel for panel in _PANELS if panel["title"] == "Sent")["targets"][0]["rawSql"]
    told = reader.execute(expanded(sql, "alpha").encode()).fetchone()
    truth = site.history.query(
        "SELECT sum(sent) FROM campaign_daily_stats WHERE campaign_id = 'alpha'"
        " AND event_date >= '2023-10-01'"
    )
    assert [told] == truth


def test_what_is_provisioned_belongs_together() -> None:
    source = (_DEPLOY / "provisioning/datasources/campaign-statistics.yml").read_text()
    assert "uid: campaign-statistics\n" in source
    types = {panel["datasource"]["type"] for panel in _PANELS}
    assert [f"type: {name}\n" in source for name in types] == [True]
    numbers = [panel["id"] for panel in _DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))
    compose = (_DEPLOY.parents[1] / "docker-compose.yml").read_text()
    for line in source.splitlines():
        if "$STATISTICS_" in line:
            assert f"      {line.rpartition('$')[2]}: " in compose
