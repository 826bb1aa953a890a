"""The contract as other programs get it."""

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types

from ingester.contract import asyncapi, json_schema

GOOD = {
    "event_id": "0198c3f2-7a4e-7c55-9d1b-2f6a1c0e9b11",
    "campaign_id": "spring-sale",
    "event_type": "opened",
    "occurred_at": "2026-11-23T07:49:12.345678Z",
}


def test_the_schema_is_one_and_accepts_a_good_event() -> None:
    Draft202012Validator.check_schema(json_schema())
    Draft202012Validator(json_schema()).validate(GOOD)


@pytest.mark.parametrize(
    "change",
    [
        {"event_type": "lost"},
        {"count": "1"},
        {"campaign_id": ""},
        {"surprise": 1},
        {"occurred_at": "2026-11-23T07:49:12"},
        {"metadata": []},
    ],
)
def test_the_schema_refuses_what_the_ingester_refuses(change: dict[str, object]) -> None:
    assert not Draft202012Validator(json_schema()).is_valid(GOOD | change)


def test_the_asyncapi_document_names_the_topic_and_carries_the_schema() -> None:
    document = asyncapi("some-topic", "1.2.3")
    assert document["channels"]["campaignEvents"]["address"] == "some-topic"
    message = document["components"]["messages"]["campaignEvent"]
    assert message["payload"]["schema"] == json_schema()
