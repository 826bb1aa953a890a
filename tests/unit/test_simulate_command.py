"""`ingester simulate` tells the truth about what it published, also when stopped on the way."""

import json
import shlex
import signal
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Self

import pytest
import typer
from typer.testing import CliRunner, Result

from ingester.commands import simulate as command
from ingester.commands.interruption import Interruption
from ingester.commands.simulate import simulate
from ingester.decoder import decode
from ingester.errors import TemporaryError, UsageError
from ingester.outcomes import EPOCH, Rejected, Window
from ingester.simulation.tally import METRICS

Published = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes]]]


class FakePublisher:
    """Keeps what is published; signals or fails when told to."""

    published: ClassVar[list[Published]] = []
    flushed: ClassVar[int] = 0
    signal_after: ClassVar[int | None] = None
    fail_on_flush: ClassVar[bool] = False

    def __init__(self, _: object) -> None:
        """Forget what others published."""
        FakePublisher.published = []
        FakePublisher.flushed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def publish(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int | None = None,
    ) -> None:
        """Keep a record."""
        assert partition is None
        FakePublisher.published.append((key, value, headers))
        if len(FakePublisher.published) == FakePublisher.signal_after:
            signal.raise_signal(signal.SIGINT)

    def flush(self, timeout_seconds: float) -> None:
        """Note that everything was waited for."""
        assert timeout_seconds > 0
        if FakePublisher.fail_on_flush:
            raise TemporaryError("3 records not delivered")
        FakePublisher.flushed = len(FakePublisher.published)


@pytest.fixture(autouse=True)
def _fake_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "Publisher", FakePublisher)
    monkeypatch.setattr(command, "set_up_logs", lambda _: None)
    monkeypatch.setattr(FakePublisher, "signal_after", None)
    monkeypatch.setattr(FakePublisher, "fail_on_flush", False)


def run(*arguments: object) -> Result:
    """Run the command with these arguments."""
    app = typer.Typer()
    app.command()(simulate)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def run_json(*arguments: object) -> dict[str, Any]:
    """Run it to its end; returns what it printed."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    printed: dict[str, Any] = json.loads(result.stdout)
    return printed


def test_it_prints_what_it_published() -> None:
    printed = run_json("--events", 3000, "--duplicates", 0.02, "--invalid", 0.01, "--seed", 5)
    assert FakePublisher.flushed == len(FakePublisher.published) == printed["published"] == 3000
    assert (printed["unique"], printed["duplicates"], printed["rejected"]) == (2910, 60, 30)
    assert printed["conflicting"] == 3
    assert printed["seed"] == 5
    assert printed["interrupted"] is False
    assert printed["totals"] == dict(totals_of(FakePublisher.published))


def totals_of(published: list[Published]) -> Counter[str]:
    """Sums by metric of what would be inserted: valid events, the first of each identity."""
    day = timedelta(days=1)
    window = Window.around(datetime.now(UTC), 3653 * day, day, EPOCH)
    totals: Counter[str] = Counter()
    seen = set()
    for outcome in decode([value for _, value, _ in published], lambda i: published[i][2], window):
        if not isinstance(outcome, Rejected) and outcome[:3] not in seen:
            seen.add(outcome[:3])
            totals[list(METRICS.values())[outcome[3]]] += outcome[4]
    return totals


def test_the_printed_command_publishes_the_same_bytes_again() -> None:
    printed = run_json("--events", 800, "--until", "2026-03-01T12:30:00.5+05:30", "--days", 9)
    first = FakePublisher.published
    words = shlex.split(printed["command"])
    assert words[:2] == ["ingester", "simulate"]
    assert run_json(*words[2:])["totals"] == printed["totals"]
    assert FakePublisher.published == first
    assert printed["last_occurred_at"] < "2026-03-01T07:00:00.5"


def test_without_a_seed_every_run_is_another() -> None:
    first, second = run_json("--events", 50), run_json("--events", 50)
    assert first["seed"] != second["seed"]
    assert (
        first["totals"] != second["totals"]
        or first["first_occurred_at"] != second["first_occurred_at"]
    )


def test_history_ends_at_the_last_midnight() -> None:
    before = datetime.now(UTC).date()
    until = datetime.fromisoformat(run_json("--events", 10)["until"])
    assert until.date() in (before, datetime.now(UTC).date())
    assert until == until.replace(hour=0, minute=0, second=0, microsecond=0)


def test_people_get_a_table_with_every_number() -> None:
    result = run("--events", 2000, "--invalid", 0.02, "--seed", 1)
    assert result.exit_code == 0
    for text in ("2,000", "1,940", "to be rejected", "tombstone", "sum of opened", "--seed 1"):
        assert text in result.stdout


def test_ctrl_c_stops_waits_for_delivery_and_prints_what_was_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FakePublisher, "signal_after", 700)
    result = run("--events", 5000, "--json")
    assert result.exit_code == 130
    printed = json.loads(result.stdout)
    assert printed["published"] == FakePublisher.flushed == 700
    assert printed["interrupted"] is True


def test_ctrl_c_also_ends_a_wait_for_the_next_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakePublisher, "signal_after", 2)
    started = time.monotonic()
    result = run("--events", 100, "--rate", 0.5, "--json")
    assert result.exit_code == 130
    assert json.loads(result.stdout)["published"] == 2
    assert time.monotonic() - started < 3.5


def test_a_second_signal_acts_as_if_nobody_listened() -> None:
    # A shell starts its background jobs with SIGINT ignored; here it must mean what it means.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGINT)
            assert interruption.signal == signal.SIGINT
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_records_that_were_not_delivered_are_never_reported_as_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FakePublisher, "fail_on_flush", True)
    result = run("--events", 10)
    assert isinstance(result.exception, TemporaryError)
    assert result.stdout == ""


def test_a_rate_is_kept_and_its_events_happen_now() -> None:
    before = datetime.now(UTC)
    started = time.monotonic()
    printed = run_json("--events", 150, "--rate", 500, "--duplicates", 0.1, "--seed", 3)
    assert 149 / 500 <= time.monotonic() - started < 3
    assert printed["until"] is None
    assert "--rate 500.0" in printed["command"]
    assert before <= datetime.fromisoformat(printed["last_occurred_at"]) <= datetime.now(UTC)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--events", 0),
        ("--rate", 0),
        ("--duplicates", 1.1),
        ("--invalid", -0.1),
        ("--days", 0),
        ("--seed", -1),
        ("--until", "yesterday"),
        ("--until", "2026-03-01T00:00:00"),
        ("--until", "2026-03-01T00:00:00Z", "--rate", 10),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_published(
    arguments: Sequence[object],
) -> None:
    FakePublisher.published = []
    assert run(*arguments).exit_code == 2
    assert not FakePublisher.published


@pytest.mark.parametrize(
    "arguments",
    [
        ("--until", "2099-01-01T00:00:00Z"),
        ("--until", "2010-01-01T00:00:00Z"),
        ("--days", 4000),
        ("--duplicates", 0.6, "--invalid", 0.6),
        ("--duplicates", 1),
    ],
)
def test_what_could_not_be_as_announced_is_refused(arguments: Sequence[object]) -> None:
    FakePublisher.published = []
    assert isinstance(run(*arguments).exception, UsageError)
    assert not FakePublisher.published
