"""The event contract itself: the model, its helpers and the schema that producers get."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types
from pydantic import ValidationError

from ingester.event import REPLAY_TAG, CampaignEvent, is_replay_id, parse_rfc3339, parse_uuid
from tests.examples import examples
from tests.unit.spelling import REPLAYED, times

FIELDS: dict[str, Any] = {
    "event_id": "018f0000-0000-7000-8000-00000000000a",
    "campaign_id": "c",
    "event_type": "sent",
    "occurred_at": "2024-05-06T07:08:09Z",
}


def read(**fields: object) -> CampaignEvent:
    return CampaignEvent.model_validate_json(json.dumps(FIELDS | fields))


def test_an_event_stands_for_one_occurrence_and_no_correction_by_default() -> None:
    event = read()
    assert (event.count, event.correction) == (1, False)
    assert (event.email_account_id, event.metadata) == (None, None)


def test_an_event_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        read().count = 2  # type: ignore[misc]  # which is the point


def test_the_replay_tag_makes_a_uuid_of_version_eight() -> None:
    assert is_replay_id(uuid.UUID(REPLAYED).bytes)
    tagged = uuid.UUID(bytes=bytes(6) + REPLAY_TAG + bytes(6))
    assert (tagged.version, tagged.variant) == (8, uuid.RFC_4122)


@examples(100)
@given(st.uuids(version=4) | st.uuids(version=1))
def test_no_other_uuid_carries_the_replay_tag(event_id: uuid.UUID) -> None:
    assert not is_replay_id(event_id.bytes)


@examples(100)
@given(st.uuids(), st.sampled_from([str, lambda each: str(each).upper()]))
def test_a_uuid_is_read_in_its_hyphenated_form(event_id: uuid.UUID, spell: Any) -> None:
    assert parse_uuid(spell(event_id)) == event_id


@pytest.mark.parametrize("spell", ["{0}\n", " {0}", "{{{0}}}", "urn:uuid:{0}", "{0}0"])
def test_a_uuid_is_read_in_no_other_form(spell: str) -> None:
    with pytest.raises(ValueError, match="36-character"):
        parse_uuid(spell.format(FIELDS["event_id"]))


@examples(200)
@given(times())
def test_a_time_is_read_as_utc(text: str) -> None:
    try:
        moment = parse_rfc3339(text)
    except ValueError:
        assert text.startswith(("0001-01-01", "9999-12-31")), "only these can leave the calendar"
        return
    offset = timedelta(0)
    if text[-1] not in "zZ":
        offset = timedelta(hours=int(text[-5:-3]), minutes=int(text[-2:]))
        offset = -offset if text[-6] == "-" else offset
    assert moment.tzinfo is UTC
    local = (moment.replace(tzinfo=None) + offset) if year_is_safe(moment) else None
    assert local is None or text.upper().startswith(local.isoformat(timespec="seconds"))


def year_is_safe(moment: datetime) -> bool:
    return 1 < moment.year < 9999


@pytest.mark.parametrize("count", [1, 2**31 - 1])
def test_a_count_is_one_or_more(count: int) -> None:
    assert read(count=count).count == count


@pytest.mark.parametrize("count", [0, -1, 2**31, True, 1.0, "1", None])
def test_a_count_is_nothing_else(count: object) -> None:
    with pytest.raises(ValidationError):
        read(count=count)


def test_a_correction_of_a_replayed_event_may_be_negative_but_not_zero() -> None:
    assert read(event_id=REPLAYED, correction=True, count=-5).count == -5
    with pytest.raises(ValidationError, match="1 or more"):
        read(event_id=REPLAYED, correction=True, count=0)
    with pytest.raises(ValidationError, match="1 or more"):
        read(event_id=REPLAYED, count=-5)
    with pytest.raises(ValidationError, match="replay-tagged"):
        read(correction=True)


def test_the_published_schema_is_a_schema_and_accepts_what_the_model_accepts() -> None:
    schema = CampaignEvent.model_json_schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert validator.is_valid(FIELDS)
    assert validator.is_valid(
        FIELDS | {"count": 3, "metadata": {"a": [1]}, "email_account_id": "e"}
    )
    wrongs: list[dict[str, object]] = [
        {"count": "3"},
        {"count": 2**31},
        {"event_type": "read"},
        {"campaign_id": ""},
        {"campaign_id": "a" * 256},
        {"occurred_at": "2024-05-06T07:08:09"},
        {"occurred_at": 1},
        {"metadata": []},
        {"unknown": 1},
    ]
    for wrong in wrongs:
        assert not validator.is_valid(FIELDS | wrong), wrong
    for name in FIELDS:
        assert not validator.is_valid({k: v for k, v in FIELDS.items() if k != name}), name
