"""The simulation keeps its word: exact numbers, repeatable bytes, believable campaigns."""

import gc
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, islice, pairwise
from random import Random
from typing import Any
from uuid import RFC_4122, UUID

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ingester.decoder import decode
from ingester.errors import UsageError
from ingester.event import EventType
from ingester.new_event import uuid7
from ingester.outcomes import EPOCH, Reason, Rejected, Window
from ingester.simulation.campaign import LAST_SEND_US, Campaign, cast
from ingester.simulation.earlier import RECENT_MAX, SAMPLE_MAX, Earlier
from ingester.simulation.event import rfc3339
from ingester.simulation.faults import FAULTS, Fault, Faults
from ingester.simulation.funnel import Funnel, Ratios, funnel
from ingester.simulation.life import Life, Touch
from ingester.simulation.plan import DAY_US, SECOND_US, Plan
from ingester.simulation.selection import Mixture, Selection, lognormal, split
from ingester.simulation.stream import Outcome, SimulatedRecord, records
from ingester.simulation.tally import METRICS, Tally
from ingester.simulation.timeline import touches
from ingester.strict import decode_strictly, type_codes

UNTIL = datetime(2025, 11, 23, tzinfo=UTC)
UNTIL_US = int(UNTIL.timestamp()) * SECOND_US
UNIX_TO_EPOCH_US = int(EPOCH.timestamp()) * SECOND_US
WINDOW = Window.around(UNTIL, timedelta(days=3653), timedelta(days=1), EPOCH)
REACTS_TO = {
    EventType.BOUNCED: EventType.SENT,
    EventType.OPENED: EventType.SENT,
    EventType.CLICKED: EventType.OPENED,
    EventType.REPLIED: EventType.OPENED,
    EventType.POSITIVE_REPLY: EventType.REPLIED,
}


def a_plan(**changes: Any) -> Plan:
    """A plan of 4,000 records over 20 campaigns and 30 days, with many faults."""
    defaults = {
        "records": 4_000,
        "duplicate_share": 0.05,
        "invalid_share": 0.05,
        "campaigns": 20,
        "days": 30,
        "until_us": UNTIL_US,
        "seed": 1,
    }
    return Plan(**{**defaults, **changes})


def the_bytes(stream: Iterator[SimulatedRecord]) -> list[tuple[Any, ...]]:
    """What Kafka gets."""
    return [(record.key, record.value, record.headers) for record in stream]


@pytest.fixture(scope="module")
def published() -> list[SimulatedRecord]:
    """Enough records to look at shares."""
    return list(records(a_plan(records=20_000)))


@pytest.fixture(scope="module")
def inserted(published: list[SimulatedRecord]) -> list[SimulatedRecord]:
    """Those of them that are valid and new."""
    return [record for record in published if record.outcome is Outcome.INSERTED]


# Numbers


@settings(deadline=None)  # what counts is the result, on a busy machine too
@given(
    size=st.integers(1, 400),
    duplicate_share=st.floats(0, 1),
    invalid_share=st.floats(0, 1),
    campaigns=st.integers(1, 40),
    days=st.integers(1, 90),
    seed=st.integers(0, 2**64),
)
def test_as_many_records_of_each_kind_are_published_as_were_asked_for(
    size: int,
    duplicate_share: float,
    invalid_share: float,
    campaigns: int,
    days: int,
    seed: int,
) -> None:
    duplicates, invalid = round(size * duplicate_share), round(size * invalid_share)
    assume(duplicates + invalid <= size - bool(duplicates))
    plan = Plan(size, duplicate_share, invalid_share, campaigns, days, UNTIL_US, seed)
    outcomes = Counter(record.outcome for record in records(plan))
    assert outcomes.total() == size
    assert outcomes[Outcome.REJECTED] == invalid
    assert outcomes[Outcome.DUPLICATE] + outcomes[Outcome.CONFLICTING] == duplicates
    assert outcomes[Outcome.CONFLICTING] == plan.conflicting == round(duplicates * 0.05)


@pytest.mark.parametrize(
    "changes",
    [
        {"duplicate_share": 1.0, "invalid_share": 0.0},
        {"duplicate_share": 0.5, "invalid_share": 0.5},
        {"duplicate_share": 0.7, "invalid_share": 0.7},
        {"duplicate_share": -0.1},
        {"invalid_share": 1.1},
        {"invalid_share": float("nan")},
        {"records": 0},
        {"campaigns": 0},
        {"days": 0},
        {"seed": -1},
    ],
)
def test_a_plan_that_cannot_be_kept_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        a_plan(**changes)


def test_a_stream_of_nothing_but_invalid_records_is_possible() -> None:
    stream = records(a_plan(records=50, duplicate_share=0, invalid_share=1))
    assert {record.outcome for record in stream} == {Outcome.REJECTED}


def test_the_tally_equals_the_sums_of_the_events_to_be_inserted(
    published: list[SimulatedRecord], inserted: list[SimulatedRecord]
) -> None:
    tally = Tally()
    for record in published:
        tally.add(record)
    result = tally.as_json()
    documents = [json.loads(record.value or b"") for record in inserted]
    documents = [document.get("data", document) for document in documents]
    for event_type, metric in METRICS.items():
        total = sum(
            document.get("count", 1)
            for document in documents
            if document["event_type"] == event_type
        )
        assert result["totals"][metric] == total > 0
    times = sorted(record.event.occurred_us for record in inserted if record.event)
    assert result["first_occurred_at"] == rfc3339(times[0])
    assert result["last_occurred_at"] == rfc3339(times[-1])
    assert result["campaigns"] == len({document["campaign_id"] for document in documents})
    assert result["published"] == result["unique"] + result["duplicates"] + result["rejected"]
    assert result["rejected"] == sum(result["rejected_by_reason"].values())
    json.dumps(result)


# What the ingester makes of them


def decoded(published: Sequence[SimulatedRecord]) -> list[Any]:
    """What the decoder says of each."""
    values = [record.value for record in published]
    return list(decode(values, lambda i: published[i].headers, WINDOW))


def test_the_decoder_finds_in_every_record_what_was_announced(
    published: list[SimulatedRecord],
) -> None:
    for record, outcome in zip(published, decoded(published), strict=True):
        if record.event is None:
            assert isinstance(outcome, Rejected), record
            assert outcome.reason is record.reason, (record, outcome)
            continue
        campaign_id, event_id, occurred_us, type_code, number, account, metadata = outcome
        event = record.event
        assert campaign_id == event.campaign_id
        assert event_id == UUID(event.event_id).bytes
        assert occurred_us == event.occurred_us - UNIX_TO_EPOCH_US
        assert type_code == type_codes[event.event_type]
        assert number == event.count
        assert account == event.email_account_id
        assert (metadata and json.loads(metadata)) == event.metadata


def test_no_event_is_published_under_two_identities_or_one_identity_twice(
    published: list[SimulatedRecord], inserted: list[SimulatedRecord]
) -> None:
    outcomes = [event for event in decoded(published) if not isinstance(event, Rejected)]
    assert len({event[:3] for event in outcomes}) == len(inserted)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.reason.value)
def test_a_fault_is_refused_for_its_own_reason_whatever_event_it_spoils(
    fault: Fault, inserted: list[SimulatedRecord]
) -> None:
    random = Random(1)
    for record in inserted[:400]:
        assert record.event is not None
        outcome = decode_strictly(fault.make(record.event, random), fault.headers, WINDOW)
        assert isinstance(outcome, Rejected)
        assert outcome.reason is fault.reason


def test_few_invalid_records_already_show_every_reason_and_many_every_fault() -> None:
    possible = set(Reason) - {Reason.TOO_LARGE, Reason.REFUSED_BY_DATABASE}
    faults = Faults(Random(1))
    assert {faults.next().reason for _ in range(len(possible))} == possible
    assert {faults.next() for _ in range(5_000)} == set(FAULTS)


def test_no_record_is_larger_than_a_default_broker_takes(
    published: list[SimulatedRecord],
) -> None:
    assert max(len(record.value or b"") for record in published) < 100_000


# Repeatable


def test_equal_plans_give_equal_bytes() -> None:
    assert the_bytes(records(a_plan())) == the_bytes(records(a_plan()))


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 2},
        {"records": 4_001},
        {"campaigns": 21},
        {"invalid_share": 0.06},
        {"until_us": UNTIL_US + 1},
        {"until_us": UNTIL_US + DAY_US},
    ],
)
def test_another_plan_gives_other_events(changes: dict[str, Any]) -> None:
    def identities(plan: Plan) -> set[tuple[str, int]]:
        return {(r.event.event_id, r.event.occurred_us) for r in records(plan) if r.event}

    assert not identities(a_plan()) & identities(a_plan(**changes))


def test_a_seed_means_the_same_in_every_process_and_version_of_python() -> None:
    """Changed on purpose with the traffic itself, never by accident (hash order, a new Python)."""
    digest = hashlib.sha256(repr(the_bytes(records(a_plan(records=1_000)))).encode())
    assert digest.hexdigest()[:16] == "52a4f15b0920d1d8"


# Duplicates


def test_a_duplicate_repeats_an_earlier_record_to_the_byte_some_soon_and_some_much_later(
    published: list[SimulatedRecord],
) -> None:
    places: dict[tuple[Any, ...], int] = {}
    distances = []
    for place, record in enumerate(published):
        content = (record.key, record.value, record.headers)
        if record.outcome is Outcome.INSERTED:
            places[content] = place
        elif record.outcome is Outcome.DUPLICATE:
            distances.append(place - places[content])
    assert len(distances) == 950
    assert sum(distance <= 2 * RECENT_MAX for distance in distances) > 500
    assert sum(distance > 4 * RECENT_MAX for distance in distances) > 100


def test_a_conflicting_duplicate_has_an_earlier_identity_and_another_count(
    published: list[SimulatedRecord],
) -> None:
    first: dict[str, SimulatedRecord] = {}
    conflicting = 0
    for record in published:
        if record.event is None:
            continue
        if record.outcome is Outcome.INSERTED:
            first[record.event.event_id] = record
        elif record.outcome is Outcome.CONFLICTING:
            conflicting += 1
            original = first[record.event.event_id]
            assert original.event is not None
            assert record.event.count > original.event.count
            assert replace(record.event, count=original.event.count) == original.event
            assert record.key == original.key
    assert conflicting == 50


@settings(deadline=None)
@given(st.integers(0, 30_000))
def test_what_can_be_repeated_is_bounded(shown: int) -> None:
    earlier: Earlier[int] = Earlier(Random(1))
    for number in range(shown):
        earlier.add(number)
    assert bool(earlier) == (shown > 0)
    assert len(earlier) == min(shown, RECENT_MAX) + min(shown, SAMPLE_MAX)
    if earlier:
        assert 0 <= earlier.draw() < shown


def alive() -> Counter[type]:
    """Objects in memory, by type."""
    gc.collect()
    return Counter(map(type, gc.get_objects()))


@pytest.mark.parametrize("size", [30_000, 90_000])
def test_memory_follows_the_mails_in_flight_and_not_the_number_of_records(size: int) -> None:
    before = alive()
    stream = records(a_plan(records=size))
    for _ in range(5):
        assert len(list(islice(stream, size // 6))) == size // 6
        now = alive()
        assert now[SimulatedRecord] - before[SimulatedRecord] <= RECENT_MAX + SAMPLE_MAX
        # Those of a few hours, out of thirty days.
        assert now[Touch] - before[Touch] < size / 20


# Believable


def lives(plan: Plan) -> tuple[list[Campaign], list[Touch]]:
    """The cast and all that happens to it, in the order of time."""
    random = Random(plan.seed)
    campaigns = cast(plan, random)
    return campaigns, list(touches(campaigns, random, plan.until_us))


def check_reactions(in_order: Sequence[Touch]) -> None:
    """Each touch is the only one of its kind and follows its cause, a reply also the click.

    By a second at least, so also where times are written without a fraction.
    """
    happened: dict[tuple[int, int, EventType], int] = {}
    for touch in in_order:
        mail = (touch.campaign, touch.mail)
        assert (*mail, touch.event_type) not in happened
        happened[*mail, touch.event_type] = touch.occurred_us
        if touch.event_type is not EventType.SENT:
            cause_us = happened[*mail, REACTS_TO[touch.event_type]]
            assert touch.occurred_us >= cause_us + SECOND_US
        if touch.event_type is EventType.CLICKED:
            assert (*mail, EventType.REPLIED) not in happened


@settings(deadline=None)
@given(
    size=st.integers(1, 600),
    campaigns=st.integers(1, 30),
    days=st.integers(1, 60),
    seed=st.integers(0, 1_000_000),
    until_us=st.integers(UNTIL_US, UNTIL_US + 7 * DAY_US),
)
def test_nothing_happens_to_a_mail_before_what_it_reacts_to(
    size: int, campaigns: int, days: int, seed: int, until_us: int
) -> None:
    plan = a_plan(records=size, campaigns=campaigns, days=days, seed=seed, until_us=until_us)
    _, in_order = lives(plan)
    check_reactions(in_order)
    assert all(plan.from_us <= touch.occurred_us < plan.until_us for touch in in_order)
    assert len(in_order) == plan.valid
    assert all(a.occurred_us <= b.occurred_us for a, b in pairwise(in_order))


def test_a_mail_of_the_last_minute_still_finds_time_for_every_reaction() -> None:
    last_us = UNTIL_US - LAST_SEND_US
    everything = Funnel(sent=300, bounced=0, opened=300, clicked=300, replied=300, positive=300)
    campaign = replace(
        cast(a_plan(), Random(1))[0], funnel=everything, first_us=last_us - 1, last_us=last_us
    )
    in_order = list(Life(0, campaign, Random(1), UNTIL_US))
    check_reactions(in_order)
    assert len(in_order) == 5 * 300
    assert in_order[-1].occurred_us < UNTIL_US


@given(
    events=st.integers(0, 5_000),
    ratios=st.builds(
        Ratios,
        bounced=st.floats(0, 0.3),
        opened=st.floats(0, 0.69),
        clicked=st.floats(0, 1),
        replied=st.floats(0, 1),
        positive=st.floats(0, 1),
    ),
    seed=st.integers(0, 1_000),
)
def test_a_funnel_never_widens_and_adds_up(events: int, ratios: Ratios, seed: int) -> None:
    result = funnel(events, ratios, Random(seed))
    assert result.possible
    parts = (result.bounced, result.opened, result.clicked, result.replied, result.positive)
    assert min(parts) >= 0
    assert result.sent + sum(parts) == events


def test_a_life_holds_exactly_what_its_funnel_promises() -> None:
    campaigns = cast(a_plan(), Random(1))
    for index, campaign in enumerate(campaigns):
        life = Life(index, campaign, Random(index), UNTIL_US)
        happened = Counter(touch.event_type for touch in life)
        assert happened == Counter(
            {
                EventType.SENT: campaign.funnel.sent,
                EventType.BOUNCED: campaign.funnel.bounced,
                EventType.OPENED: campaign.funnel.opened,
                EventType.CLICKED: campaign.funnel.clicked,
                EventType.REPLIED: campaign.funnel.replied,
                EventType.POSITIVE_REPLY: campaign.funnel.positive,
            }
        )


def test_campaigns_differ_in_volume_funnel_and_length_of_life() -> None:
    campaigns = cast(a_plan(records=100_000, campaigns=100), Random(1))
    volumes = sorted(campaign.funnel.sent for campaign in campaigns)
    assert volumes[-1] > 20 * volumes[0]
    opened = sorted(campaign.funnel.opened / campaign.funnel.sent for campaign in campaigns)
    assert opened[-1] > 2 * opened[0]
    days = [(campaign.last_us - campaign.first_us) / DAY_US for campaign in campaigns]
    assert min(days) < 4
    assert max(days) > 20
    ids = {campaign.campaign_id for campaign in campaigns}
    assert len(ids) == 100
    assert sum(not campaign_id.isascii() for campaign_id in ids) == 8
    assert 25 < sum(len(campaign_id) == 36 for campaign_id in ids) < 50
    assert all(2 <= len(campaign.accounts) <= 5 for campaign in campaigns)


@settings(deadline=None)
@given(seed=st.integers(0, 100_000), days=st.integers(1, 60))
def test_waves_lie_in_the_campaigns_life_in_order_and_never_overlap(seed: int, days: int) -> None:
    for campaign in cast(a_plan(campaigns=10, days=days), Random(seed)):
        waves = campaign.waves()
        assert waves
        assert waves[0][0] >= campaign.first_us
        assert waves[-1][0] + waves[-1][1] <= campaign.last_us
        assert all(start + duration <= later for (start, duration), (later, _) in pairwise(waves))


def test_mails_go_out_in_working_hours() -> None:
    campaigns, in_order = lives(a_plan(records=20_000, days=60))
    hours: Counter[bool] = Counter()
    weekdays: Counter[bool] = Counter()
    for touch in in_order:
        if touch.event_type is EventType.SENT:
            zone = timedelta(microseconds=campaigns[touch.campaign].zone_us)
            local = datetime.fromtimestamp(touch.occurred_us / SECOND_US, UTC) + zone
            hours[8 <= local.hour < 18] += 1
            weekdays[local.weekday() < 5] += 1
    assert hours[True] > 0.98 * hours.total()
    assert weekdays[True] > 0.85 * weekdays.total()


def test_records_come_nearly_in_the_order_of_time_and_a_few_are_hours_late(
    inserted: list[SimulatedRecord],
) -> None:
    latest = lateness_us = disorder = late = 0
    for record in inserted:
        assert record.event is not None
        lateness_us = latest - record.event.occurred_us
        disorder += lateness_us > 0
        late += lateness_us > 1800 * SECOND_US
        latest = max(latest, record.event.occurred_us)
    assert 0.005 < disorder / len(inserted) < 0.2
    assert 0.001 < late / len(inserted) < 0.006


def test_event_ids_are_uuidv7_of_the_event_or_of_its_publishing(
    inserted: list[SimulatedRecord],
) -> None:
    same = 0
    for record in inserted:
        assert record.event is not None
        identity = UUID(record.event.event_id)
        assert (identity.version, identity.variant) == (7, RFC_4122)
        lag_ms = (identity.int >> 80) - record.event.occurred_us // 1000
        assert lag_ms >= 0
        same += lag_ms == 0
    assert 0.25 < same / len(inserted) < 0.35


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**74 - 1))
def test_a_uuid7_keeps_its_time_and_all_its_random_bits(unix_ms: int, bits: int) -> None:
    identity = UUID(uuid7(unix_ms, bits))
    assert identity.version == 7
    assert identity.variant == RFC_4122
    assert identity.int >> 80 == unix_ms
    assert (identity.int >> 64 & 0xFFF) << 62 | identity.int & (1 << 62) - 1 == bits


def share(records: Sequence[SimulatedRecord], holds: Callable[[SimulatedRecord], bool]) -> float:
    """The share of records for which something holds."""
    return sum(map(holds, records)) / len(records)


def test_producers_differ_as_real_ones_do(inserted: list[SimulatedRecord]) -> None:
    def value_holds(part: bytes) -> Callable[[SimulatedRecord], bool]:
        return lambda record: part in (record.value or b"")

    def time_ends(*ends: str) -> Callable[[SimulatedRecord], bool]:
        return lambda record: record.event is not None and record.event.occurred_at.endswith(ends)

    def has_header(name: str) -> Callable[[SimulatedRecord], bool]:
        return lambda record: name in dict(record.headers)

    assert all(r.key == r.event.campaign_id.encode() for r in inserted if r.event)
    assert share(inserted, value_holds(b'":"')) == pytest.approx(0.92, abs=0.02)
    assert share(inserted, value_holds(b'": "')) == pytest.approx(0.08, abs=0.02)
    assert share(inserted, value_holds(b'{\n "')) == pytest.approx(0.02, abs=0.01)
    assert share(inserted, value_holds(b'{"specversion"')) == pytest.approx(0.01, abs=0.005)
    assert share(inserted, value_holds(b'"metadata"')) == pytest.approx(0.15, abs=0.02)
    assert share(inserted, value_holds(b"\\u")) > 0
    assert share(inserted, value_holds(b'"email_account_id"')) == pytest.approx(0.8, abs=0.02)
    assert share(inserted, value_holds(b'"count"')) == pytest.approx(0.4, abs=0.03)
    assert share(inserted, time_ends("+00:00")) == pytest.approx(0.08, abs=0.02)
    assert share(inserted, time_ends("+05:30")) == pytest.approx(0.04, abs=0.02)
    assert share(inserted, lambda r: bool(r.event and len(r.event.occurred_at) == 24)) > 0.03
    assert share(inserted, lambda r: bool(r.event and len(r.event.occurred_at) == 20)) > 0.015
    assert 0.005 < share(inserted, lambda r: bool(r.event and r.event.count > 1)) < 0.03
    assert share(inserted, has_header("traceparent")) == pytest.approx(0.04, abs=0.01)
    assert share(inserted, has_header("ce_id")) == pytest.approx(0.02, abs=0.01)


def test_all_touches_of_a_mail_come_from_the_account_that_sent_it(
    inserted: list[SimulatedRecord],
) -> None:
    accounts: dict[tuple[str, str], set[str]] = {}
    for record in inserted:
        if record.event and record.event.metadata and record.event.email_account_id:
            mail = (record.event.campaign_id, record.event.metadata["mail"])
            accounts.setdefault(mail, set()).add(record.event.email_account_id)
    assert len(accounts) > 500
    assert all(len(names) == 1 for names in accounts.values())


# Live


def test_live_events_happen_when_they_are_published_but_for_a_few_late_mails() -> None:
    ticks = count(UNTIL_US, SECOND_US // 100)
    now_us = 0

    def clock() -> int:
        nonlocal now_us
        now_us = next(ticks)
        return now_us

    late = 0
    for record in records(a_plan(records=10_000), clock):
        if record.outcome is not Outcome.INSERTED or record.event is None:
            continue
        assert (UUID(record.event.event_id).int >> 80) * 1000 <= now_us
        if record.event.occurred_us != now_us:
            late += 1
            assert record.event.occurred_us < now_us
            assert record.event.event_type is EventType.SENT
        assert len(record.event.occurred_at) >= len("2025-11-23T00:00:00.000000Z")
    assert 5 < late < 60


def test_live_traffic_keeps_its_numbers_and_is_decoded_as_announced() -> None:
    plan = a_plan(records=3_000)
    ticks = count(UNTIL_US - DAY_US, 1_000)
    stream = list(records(plan, lambda: next(ticks)))
    assert len(stream) == 3_000
    for record, outcome in zip(stream, decoded(stream), strict=True):
        reason = outcome.reason if isinstance(outcome, Rejected) else None
        assert reason is record.reason


# Chance


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 1_000))
def test_a_selection_takes_exactly_as_many_as_wanted(wanted: int, others: int, seed: int) -> None:
    random = Random(seed)
    selection = Selection(wanted, wanted + others)
    assert sum(selection.take(random) for _ in range(wanted + others)) == wanted
    assert not selection.take(random)


@given(st.integers(0, 10**7), st.lists(st.floats(0.001, 1000), min_size=1, max_size=50))
def test_a_split_adds_up_and_keeps_the_proportions(total: int, weights: list[float]) -> None:
    parts = split(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - total * weight / sum(weights)) <= 1.01


def test_a_mixture_draws_each_choice_as_often_as_its_share() -> None:
    random = Random(1)
    drawn = Counter(Mixture({"a": 0.7, "b": 0.2, "c": 0.1}).draw(random) for _ in range(20_000))
    assert drawn["a"] / 20_000 == pytest.approx(0.7, abs=0.02)
    assert drawn["c"] / 20_000 == pytest.approx(0.1, abs=0.01)


def test_half_of_the_lognormal_delays_are_below_the_median_and_two_thirds_within_sigma() -> None:
    random = Random(1)
    drawn = [lognormal(random, 10.0, 0.5) for _ in range(20_000)]
    assert sum(delay < 10 for delay in drawn) / 20_000 == pytest.approx(0.5, abs=0.02)
    within = sum(6.07 < delay < 16.49 for delay in drawn) / 20_000
    assert within == pytest.approx(0.683, abs=0.02)
