"""The decoder's fast path, its slow path and an independent oracle agree on every value."""

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from ingester.decoder import decode
from ingester.outcomes import Headers, Rejected
from ingester.strict import decode_strictly, type_codes
from tests.examples import examples
from tests.unit.oracle import Understood, tree_of, understood
from tests.unit.spelling import WINDOW, damaged, enveloped, events, quoted, spellings

STRUCTURED: Headers = [("content-type", b"application/cloudevents+json; charset=utf-8")]
HEADERS = st.sampled_from(
    [(), STRUCTURED, [("ce_specversion", b"1.0"), ("ce_id", None)], [("content-type", None)]]
)
TYPE_OF = {code: name for name, code in type_codes.items()}


def decoded(value: bytes | None, headers: Headers = ()) -> Any:
    (outcome,) = decode([value], lambda _: headers, WINDOW)
    return outcome


def as_understood(outcome: Any) -> Understood | None:
    if isinstance(outcome, Rejected):
        return None
    campaign_id, event_id, occurred_us, code, count, email, metadata = outcome
    tree = None if metadata is None else tree_of(metadata)
    return Understood(campaign_id, event_id, occurred_us, TYPE_OF[code], count, email, tree)


def assert_all_agree(value: bytes, headers: Headers) -> Understood | None:
    outcome = decoded(value, headers)
    assert outcome == decode_strictly(value, headers, WINDOW)
    expected = understood(value, WINDOW.first_us, WINDOW.last_us)
    if headers == STRUCTURED and expected is None:
        return None  # an envelope, perhaps: judged below
    assert as_understood(outcome) == expected
    if not isinstance(outcome, Rejected) and outcome[6] is not None:
        assert outcome[6] in value, "metadata is kept as it was written"
    return expected


@examples(600)
@given(spellings(events), HEADERS)
def test_every_spelling_of_an_event_means_the_same_on_both_paths(
    value: bytes, headers: Headers
) -> None:
    assert_all_agree(value, headers)


@examples(1500)
@given(damaged(), HEADERS)
@example(b'{"event_id":1e400}', ())
def test_a_damaged_event_is_judged_alike_on_both_paths(value: bytes, headers: Headers) -> None:
    assert_all_agree(value, headers)


@examples(200)
@given(st.lists(st.none() | st.binary(max_size=200) | damaged() | spellings(events), max_size=8))
def test_every_value_has_exactly_one_outcome_in_its_place(values: list[bytes | None]) -> None:
    outcomes = list(decode(values, lambda _: (), WINDOW))
    assert outcomes == [decoded(value) for value in values]
    for outcome in outcomes:
        if isinstance(outcome, Rejected):
            assert outcome.detail.isprintable()
            assert outcome.detail.isascii()
            assert 0 < len(outcome.detail) <= 300


@examples(200)
@given(spellings(events))
def test_an_enveloped_event_is_the_event_it_carries(value: bytes) -> None:
    inside, bare = decoded(enveloped(value), STRUCTURED), decoded(value)
    if isinstance(bare, Rejected):
        assert (inside.reason, inside.detail) == (bare.reason, bare.detail)
    else:
        assert inside == bare


def common(**fields: str) -> bytes:
    texts = {
        "event_id": '"018f0000-0000-7000-8000-00000000000a"',
        "campaign_id": '"c"',
        "event_type": '"sent"',
        "occurred_at": '"2024-05-06T07:08:09.123456Z"',
    } | fields
    return ("{" + ",".join(f'"{name}":{text}' for name, text in texts.items()) + "}").encode()


def test_the_common_shape_takes_the_fast_path_and_asks_for_no_headers() -> None:
    def unexpected(index: int) -> Headers:
        raise AssertionError(f"record {index} left the fast path")

    values: list[bytes | None] = [
        common(),
        common(count="7"),
        common(email_account_id='"a"', metadata='{"k":[1,2.5,null,"\u00e9"],"n":{}}'),
        common(metadata="{}"),
        common(occurred_at='"2024-05-06T07:08:09+02:00"'),
        common(event_id='"018F0000-0000-7000-8000-00000000000A"'),
    ]
    assert not any(isinstance(o, Rejected) for o in decode(values, unexpected, WINDOW))


def test_an_empty_object_in_a_text_is_not_taken_for_the_metadata() -> None:
    outcome = decoded(common(campaign_id='"{}"', metadata="{ }"))
    assert outcome[6] == b"{ }"


def test_headers_are_those_of_the_record_they_belong_to() -> None:
    values: list[bytes | None] = [common(), enveloped(common()), b"", common()]
    asked: list[int] = []

    def headers_of(index: int) -> Headers:
        asked.append(index)
        return STRUCTURED if index == 1 else ()

    kinds = [isinstance(outcome, Rejected) for outcome in decode(values, headers_of, WINDOW)]
    assert kinds == [False, False, True, False]
    assert asked == [1, 2]


def test_the_time_is_cut_to_the_microsecond_and_counted_in_utc() -> None:
    outcomes = [
        decoded(common(occurred_at=quoted(text)))
        for text in (
            "2024-05-06T07:08:09.1234569Z",
            "2024-05-06t07:08:09.123456z",
            "2024-05-06T09:08:09.123456999+02:00",
            "2024-05-05T07:09:09.123456-23:59",
        )
    ]
    assert [outcome[2] for outcome in outcomes] == [768_294_489_123_456] * 4
