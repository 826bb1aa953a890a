"""The arithmetic behind the figures: a bench that computes wrong is worse than none."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench import page, producer, sections
from bench.chart import Bar, bars, lines
from bench.contest import Contender, figures
from bench.history import MONTHS, UNTIL, History
from bench.peers.connect import Connect
from bench.report import Spread
from bench.servers import Servers
from bench.traffic import Traffic
from bench.worker import Log
from ingester.decoder import decode
from ingester.outcomes import EPOCH, Window


def _parsed(svg: str) -> list[ET.Element]:
    return list(ET.fromstring(svg))  # noqa: S314 - our own text


def _side(name: str, seconds: list[float], yardstick: Contender | None = None) -> Contender:
    return Contender(name, 1000, (), 0, lambda _: 0.0, yardstick, seconds=seconds)


def test_percentiles_are_measured_values_by_nearest_rank() -> None:
    told = Spread.of(range(1, 101)).latencies()
    assert (told["p50"], told["p99"], told["max"], told["count"]) == (50, 99, 100, 100)
    assert Spread.of([7.0]).latencies()["p99"] == 7.0


def test_a_ratio_compares_rates_of_the_same_round() -> None:
    yardstick = _side("psql", [1.0, 2.0, 4.0])
    side = _side("worker", [2.0, 2.0, 2.0], yardstick)
    assert figures(side)["ratio_to_yardstick"].values == (0.5, 1.0, 2.0)
    assert figures(yardstick)["ratio_to_yardstick"].values == (1.0, 1.0, 1.0)


def test_campaigns_live_for_their_months_and_all_of_them_at_some_time() -> None:
    history = History(1000, campaigns=3000, lifetime_months=4)
    months = history.months
    counts = {len(history.alive(month)) for month in months}
    assert len(counts) == 1
    assert counts.pop() == pytest.approx(3000 * 4 / (MONTHS + 3), rel=0.01)
    alive = set().union(*(history.alive(month) for month in months))
    assert min(alive) == 1
    assert len(alive) > 0.95 * 3000
    assert max(alive) <= 3000
    assert len(set(history.alive(months[0])) & set(history.alive(months[4]))) == 0
    assert History(1000).alive(UNTIL.date()) == range(1, 3001)


def test_what_the_producer_publishes_is_accepted() -> None:
    now_us = time.time_ns() // 1000
    values = [producer.event(number, now_us + number)[1] for number in range(3)]
    window = Window.around(datetime.now(UTC), timedelta(days=1), timedelta(days=1), EPOCH)
    outcomes = decode(values, lambda _: (), window)
    assert sum(len(part.event_ids) for part in outcomes.parts) == 3
    assert len({bytes(row) for part in outcomes.parts for row in part.event_ids}) == 3


def _line(second: int, event: str, **facts: object) -> str:
    return json.dumps({"timestamp": f"2026-01-01T00:00:{second:02}+00:00", "event": event, **facts})


def test_the_steady_state_of_a_worker_is_from_its_start_to_its_last_commit() -> None:
    log = Log(pid=0, workers=1)
    log.read(
        [
            "a library's own words",
            _line(2, "partitions_started"),
            _line(5, "batch_stage", stage="committed"),
            _line(7, "partitions_started"),
            _line(9, "batch_stage", stage="committed"),
            _line(12, "batch_stage", stage="prepare"),
        ]
    )
    assert log.steady_seconds == 7
    assert log.transactions == 2


def test_the_steady_state_of_two_workers_is_while_both_consume() -> None:
    log = Log(pid=0, workers=2)
    log.read([_line(1, "worker_started", worker="1", pid=-1)])
    log.read([_line(2, "partitions_started", worker="1")])
    with pytest.raises(RuntimeError, match="not every worker"):
        _ = log.steady_seconds
    log.read(
        [
            _line(3, "batch_written", worker="1", records=200),
            _line(4, "partitions_started", worker="2"),
            _line(6, "batch_written", worker="1", records=100),
            _line(8, "batch_written", worker="2", records=300),
            _line(10, "batch_written", worker="1", records=200),
            _line(20, "batch_written", worker="2", records=200),
            _line(20, "batch_stage", stage="committed"),
        ]
    )
    # 600 of 1,000 records in the six seconds that both have worked.
    assert log.steady_seconds == pytest.approx(10)
    assert log.steady_cpu_seconds is None  # there are no such processes


def test_charts_are_well_formed_and_to_scale() -> None:
    svg = bars("a <title>", [Bar("one & two", 10, 9, 20), Bar("half", 5, 5, 5, ours=True)], 1)
    first, second = (
        float(each.attrib["width"]) for each in _parsed(svg) if each.tag.endswith("rect")
    )
    assert first == pytest.approx(2 * second, rel=0.01)
    svg = lines("growth", "events", {"a": [(1, 0), (10, 5), (100, 10)], "b": [(1, 1)]}, 1)
    placed = [each for each in _parsed(svg) if each.tag.endswith("circle")]
    x, y = ([float(each.attrib[at]) for each in placed] for at in ("cx", "cy"))
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2)
    assert y[0] - y[1] == pytest.approx(y[1] - y[2], abs=0.2)


_FOLDING = ("fold_seconds", "refresh_concurrently_seconds", "ratio")


def _document(bench: str, finished: str, command: str = "python -m bench.x") -> dict[str, Any]:
    spread = {"median": 0.03, "min": 0.02, "max": 0.04}
    return {
        "bench": bench,
        "finished": finished,
        "command": command,
        "commit": {"hash": "0123456789", "dirty_in_what_is_measured": False},
        "versions": {"postgresql": "18.1"},
        "hardware": {
            "processor": "a processor",
            "cores": 2,
            "memory_kib": 2**20,
            "system": "Linux",
            "load_average_before": [0.1, 0.1, 0.1],
        },
        "results": {"populations": {"some": dict.fromkeys(_FOLDING, spread)}},
    }


def test_the_page_gets_the_newest_figures_and_keeps_what_people_wrote(tmp_path: Path) -> None:
    documents = {
        "refresh_views-1": _document("refresh_views", "2026-01-01T00:00:00"),
        "refresh_views-2": _document("refresh_views", "2026-01-02T00:00:00"),
        "refresh_views-3": _document("refresh_views", "2026-01-03T00:00:00", "… --quick"),
    }
    for name, document in documents.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    written = tmp_path / "performance.md"
    written.write_text("# Performance\n\nWritten by hand.\n")
    page.main(results=tmp_path, docs=tmp_path, quick=False)
    once = written.read_text()
    assert once.startswith("# Performance\n\nWritten by hand.\n")
    assert "on 2026-01-02, commit `0123456`" in once
    assert "0.030 (0.020-0.040)" in once
    page.main(results=tmp_path, docs=tmp_path, quick=False)
    assert written.read_text() == once


def test_every_bench_that_can_be_run_has_its_section_or_says_why_not() -> None:
    folder = Path(page.__file__).parent
    commands = {file.stem for file in folder.glob("*.py") if "Typer(" in file.read_text()} | {
        file.stem for file in folder.glob("*.py") if "typer.run(main)" in file.read_text()
    }
    assert commands - {"page", "primary_key"} == sections.SECTIONS.keys() - {"peers"}


def test_kafka_connect_upserts_by_the_key_of_our_events(tmp_path: Path) -> None:
    class _Database:
        url = "postgresql://someone@127.0.0.1:5433/bench"

    traffic = Traffic("events", {})
    connect = Connect(tmp_path, tmp_path, Servers("127.0.0.1:9092", ""), traffic, 2, unnest=True)
    *_, worker, connector = connect(_Database(), "group")  # type: ignore[arg-type]
    written = Path(worker).read_text() + Path(connector).read_text()
    settings = dict(line.split("=", 1) for line in written.splitlines())
    assert settings["primary.key.fields"] == "occurred_at,campaign_id,event_id"
    assert settings["connection.url"].startswith("jdbc:postgresql://127.0.0.1:5433/bench?")
    schema = json.loads(settings["value.converter.schema.content"])
    fields = [field["field"] for field in schema["fields"]]
    assert fields == ["event_id", "campaign_id", "event_type", "occurred_at"]
