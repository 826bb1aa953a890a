"""An event that would be rejected fails where it is made; what passes means what was said."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import RFC_4122

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingester.decoder import decode
from ingester.errors import InvalidEvent, UsageError
from ingester.event import EventType
from ingester.new_event import NewEvent, new_event_id
from ingester.outcomes import EPOCH, Window, microseconds
from tests.examples import examples

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
WINDOW = Window.around(NOW, timedelta(days=3_653), timedelta(days=1), EPOCH)
GOOD = NewEvent(campaign_id="spring-sale", event_type="opened", occurred_at=NOW)

characters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
names = st.text(characters, min_size=1, max_size=255)
keys = st.text(characters, max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(characters, max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner),
    max_leaves=6,
)


def test_an_event_keeps_its_uuidv7_however_often_it_is_written() -> None:
    assert (GOOD.event_id.version, GOOD.event_id.variant) == (7, RFC_4122)
    assert GOOD.value(WINDOW) == GOOD.value(WINDOW)
    another = NewEvent(campaign_id="spring-sale", event_type="opened", occurred_at=NOW)
    assert another.event_id != GOOD.event_id
    assert new_event_id().int >> 80 == pytest.approx(datetime.now(UTC).timestamp() * 1000, abs=1e6)


zones = st.integers(-720, 720).map(lambda minutes: timezone(timedelta(minutes=minutes)))
new_events = st.builds(
    NewEvent,
    campaign_id=names,
    event_type=st.sampled_from(EventType),
    occurred_at=st.datetimes(
        datetime(2020, 1, 1),  # noqa: DTZ001 - the zone is drawn
        datetime(2026, 11, 23),  # noqa: DTZ001 - likewise
        timezones=zones,
    ),
    count=st.integers(1, 2**31 - 1),
    email_account_id=st.none() | names,
    metadata=st.none() | st.dictionaries(keys, json_values, max_size=4),
)


@examples(60)
@given(new_events)
def test_what_is_written_is_what_the_decoder_reads(event: NewEvent) -> None:
    outcomes = decode([event.value(WINDOW)], lambda _: (), WINDOW)
    (read,) = (part for part in outcomes.parts if part.at.size)
    assert read.campaign_ids == [event.campaign_id]
    assert read.types == [event.event_type]
    assert read.event_ids.tobytes() == event.event_id.bytes
    assert read.occurred_us.tolist() == [microseconds(event.occurred_at)]
    assert read.counts.tolist() == [event.count]
    assert read.accounts == [event.email_account_id or ""]
    assert {n: json.loads(text) for n, text in read.metadata.items()} == (
        {} if event.metadata is None else {0: event.metadata}
    )
    assert event.key.decode() == event.campaign_id


@pytest.mark.parametrize(
    ("changes", "reason_code", "detail"),
    [
        ({"campaign_id": ""}, "invalid_value", "campaign_id"),
        ({"campaign_id": "x" * 256}, "invalid_value", "campaign_id"),
        ({"campaign_id": "a\0"}, "invalid_value", "NUL"),
        ({"campaign_id": "\ud800"}, "invalid_json", "surrogates"),
        ({"event_type": "open"}, "invalid_value", "event_type"),
        ({"occurred_at": NOW.replace(tzinfo=None)}, "invalid_value", "offset"),
        (
            {"occurred_at": NOW + timedelta(days=2)},
            "outside_window",
            "accepted|before|after|between|window",
        ),
        (
            {"occurred_at": NOW - timedelta(days=4_000)},
            "outside_window",
            "accepted|before|after|between|window",
        ),
        ({"count": 0}, "invalid_value", "count"),
        ({"count": -1}, "invalid_value", "count"),
        ({"count": True}, "invalid_value", "count"),
        ({"count": 2**31}, "invalid_value", "count"),
        ({"metadata": {"a": float("nan")}}, "invalid_json", "JSON compliant"),
        ({"metadata": {"a": NOW}}, "invalid_json", "datetime"),
        ({"metadata": {"a": "x" * 20_000}}, "invalid_value", "metadata"),
        ({"metadata": {1: "a", "1": "b"}}, "duplicate_key", "1"),
        ({"email_account_id": ""}, "invalid_value", "email_account_id"),
    ],
    ids=str,
)
def test_what_would_be_rejected_is_refused_with_the_reason_of_the_reject(
    changes: dict[str, Any], reason_code: str, detail: str
) -> None:
    with pytest.raises(InvalidEvent, match=detail) as caught:
        replace(GOOD, **changes).value(WINDOW)
    assert caught.value.reason_code == reason_code
    assert isinstance(caught.value, UsageError)
