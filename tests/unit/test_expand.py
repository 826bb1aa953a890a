"""Rows of the old table as events: the same every time, different for everything that differs."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingester.event import COUNT_MAX, REPLAY_TAG, CampaignEvent, is_replay_id
from replay.expand import EVENT_TYPES, METRICS, LegacyRow, ReplayEvent, event_id, records

DATES = st.dates(date(2000, 1, 1), date(2060, 1, 1))
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
COUNTS = st.integers(0, COUNT_MAX)
ROWS = st.builds(
    LegacyRow, TEXT, TEXT.map(lambda text: text[:255]), DATES, st.tuples(*[COUNTS] * len(METRICS))
)
IDENTITY = st.tuples(TEXT, st.sampled_from(METRICS), DATES, st.integers(0, 2**40))


@given(ROWS)
def test_a_row_becomes_one_event_per_metric_that_is_not_zero(row: LegacyRow) -> None:
    made = list(records(row))
    assert [CampaignEvent.model_validate_json(value).event_type for _, value in made] == [
        EVENT_TYPES[metric] for metric, count in zip(METRICS, row.values, strict=True) if count
    ]
    assert list(records(row)) == made, "the same row gives the same events"


@given(ROWS)
def test_every_event_fulfils_the_contract_and_says_what_the_row_says(row: LegacyRow) -> None:
    counts = {EVENT_TYPES[metric]: value for metric, value in zip(METRICS, row.values, strict=True)}
    metrics = {event_type: metric for metric, event_type in EVENT_TYPES.items()}
    for key, value in records(row):
        read = CampaignEvent.model_validate_json(value)
        assert key == row.campaign_id.encode()
        assert read.campaign_id == row.campaign_id
        assert read.occurred_at == datetime.combine(row.stat_date, datetime.min.time(), UTC)
        assert read.count == counts[read.event_type]
        assert read.event_id == event_id(row.row_id, metrics[read.event_type], row.stat_date)
        assert not read.correction


@given(ROWS)
def test_texts_put_together_by_hand_are_those_of_the_encoder(row: LegacyRow) -> None:
    assert list(records(row)) == [
        (event.key(), event.value())
        for metric, count in zip(METRICS, row.values, strict=True)
        if count
        for event in [
            ReplayEvent(
                event_id(row.row_id, metric, row.stat_date),
                row.campaign_id, metric, row.stat_date, count,
            )
        ]
    ]  # fmt: skip


@given(IDENTITY)
def test_an_id_is_a_tagged_uuid_of_version_8_that_follows_the_date(
    identity: tuple[str, str, date, int],
) -> None:
    made = event_id(*identity)
    assert made.version == 8
    assert made.variant == "specified in RFC 4122"
    assert made.bytes[6:10] == REPLAY_TAG
    assert is_replay_id(made.bytes)
    days = int.from_bytes(made.bytes[:3], "big")
    assert date(2000, 1, 1) + timedelta(days=days) == identity[2]


@given(IDENTITY, IDENTITY)
def test_ids_are_equal_only_for_the_same_row_metric_day_and_revision(
    one: tuple[str, str, date, int], other: tuple[str, str, date, int]
) -> None:
    assert (event_id(*one) == event_id(*other)) == (one == other)


@given(TEXT, DATES)
def test_metrics_and_revisions_of_one_row_never_share_an_id(row_id: str, day: date) -> None:
    ids = {event_id(row_id, metric, day, revision) for metric in METRICS for revision in range(20)}
    assert len(ids) == len(METRICS) * 20


def test_an_id_stays_what_it_is_in_every_version() -> None:
    # Written down: another hash or framing would replay everything a second time.
    made = event_id("7c1f6a52-9f0e-4b7e-8a51-2d3c4b5a6978", "sent", date(2025, 2, 3))
    assert str(made) == "0023cd6b-9809-8ca3-9a17-320932222a67"


def test_a_day_before_2000_has_no_id() -> None:
    with pytest.raises(OverflowError):
        event_id("1", "sent", date(1999, 12, 31))


def test_positive_replies_become_positive_reply_events() -> None:
    ((_, value),) = records(LegacyRow("1", "a", date(2026, 1, 1), (0, 0, 0, 0, 3, 0)))
    assert json.loads(value)["event_type"] == "positive_reply"


def test_a_correction_may_be_negative_and_is_accepted_as_such() -> None:
    day = date(2026, 1, 1)
    event = ReplayEvent(event_id("1", "sent", day, 1), "a", "sent", day, -1, correction=True)
    read = CampaignEvent.model_validate_json(event.value())
    assert read.correction
    assert read.count == -1
