"""The pipeline on a fake topic, a fake store and a fake clock: what it does, and in which order."""

from datetime import date

import pytest

from ingester.batch import Topic
from ingester.errors import IngesterError, NeedsAPerson, TemporaryError, UnhealthyStream
from ingester.observing import metric
from ingester.observing.meter import ProcessMeter
from ingester.outcomes import EPOCH
from tests.contract.schedule import BEGINNING
from tests.contract.slices import TOPIC
from tests.contract.world import Member, World
from tests.record import event_id, value_of


def publish(world: World, partition: int, *numbers: int) -> None:
    world.broker.publish(partition, *(value_of(number) for number in numbers))


def stored_numbers(world: World) -> list[int]:
    ids = {identity[1] for identity in world.database.events}
    return [number for number in range(1_000) if event_id(number) in ids]


def started(world: World, *partitions: int, **settings: object) -> Member:
    """A member that reads these partitions and has nothing in its hands yet."""
    member = world.member(**settings)  # type: ignore[arg-type]
    member.source.assign(*partitions)
    member.poll(2)
    return member


# -- the order of things


def test_a_batch_goes_from_the_assignment_to_the_hint_in_order() -> None:
    world = World()
    publish(world, 0, *range(10))
    member = world.member()
    member.source.assign(0)
    member.poll(4)
    assert member.schedule.diary == [
        ("start", {0: 0}),
        ("try", {0: (0, 10)}),
        ("write", {0: 10}),
        ("hint", {0: 10}),
    ]
    assert stored_numbers(world) == list(range(10))


def test_a_partition_starts_where_the_store_says() -> None:
    world = World(2)
    publish(world, 0, *range(10))
    world.broker.lows[1] = world.broker.highs[1] = 7
    started(world, 0).poll(4)
    member = started(world, 0, 1)
    member.poll(2)
    assert member.schedule.times("start") == [{0: 10, 1: 7}]


def test_a_batch_is_written_when_it_is_full_and_not_before() -> None:
    world = World()
    publish(world, 0, *range(9))
    member = started(world, 0, ingester_batch_age_seconds_max=60)
    member.poll(5)
    assert world.database.events == {}
    publish(world, 0, 9)
    member.poll(2)
    assert stored_numbers(world) == list(range(10))


def test_a_batch_that_is_not_full_is_written_when_its_time_has_come() -> None:
    world = World()
    publish(world, 0, 1)
    member = started(world, 0, ingester_batch_age_seconds_max=1.0)
    member.poll(6)
    assert world.time.seconds < 1.0
    assert world.database.events == {}
    member.poll(7)
    assert stored_numbers(world) == [1]


def test_a_batch_never_takes_more_than_its_limit() -> None:
    world = World(3)
    for partition in range(3):
        publish(world, partition, *range(partition * 100, partition * 100 + 35))
    member = started(world, 0, 1, 2, ingester_batch_rows_max=8)
    member.poll(60)
    assert world.database.positions == {0: 35, 1: 35, 2: 35}
    assert max(member.schedule.asked_for) == 8
    sizes = [sum(end - start for start, end in batch.values()) for batch in tried(member)]
    assert max(sizes) == 8


def tried(member: Member) -> list[dict[int, tuple[int, int]]]:
    return member.schedule.times("try")


def test_batches_follow_each_other_without_gap_or_overlap() -> None:
    world = World()
    publish(world, 0, *range(95))
    started(world, 0).poll(60)
    bounds = [entry[1:3] for entry in world.database.ledger]
    assert [first for first, _ in bounds] == [0, *(end for _, end in bounds[:-1])]
    assert bounds[-1][1] == 95


def test_good_and_bad_records_of_a_batch_both_find_their_place() -> None:
    world = World()
    world.broker.publish(0, value_of(1), b"rubbish", value_of(1), None, value_of(2))
    member = started(world, 0)
    member.poll(20)
    assert world.database.totals == {0: (5, 2, 1, 0, 2)}
    totals = member.pipeline.totals
    assert (totals.records, totals.inserted, totals.duplicates, totals.rejected) == (5, 2, 1, 2)


def test_the_window_moves_with_the_clock_and_the_floor_with_the_store() -> None:
    world = World()
    ahead = value_of(1, occurred_at="2024-05-08T00:00:30Z")
    world.broker.publish(0, ahead, value_of(2, occurred_at="2024-04-30T23:59:59Z"))
    world.database.raise_floor(world.time.now().date().replace(day=1))
    member = started(world, 0)
    member.poll(15)
    assert [reason for _, _, reason, _ in world.database.rejects] == ["outside_window"] * 2
    world.time.seconds += 60
    world.broker.publish(0, ahead)
    member.poll(15)
    assert stored_numbers(world) == [1]


def test_the_floor_of_the_store_is_asked_for_at_the_start_and_judges_what_is_read() -> None:
    world = World()
    world.database.raise_floor(date(2024, 5, 1))
    member = started(world, 0)
    world.database.floor = EPOCH  # so that the store itself would take the event
    world.broker.publish(0, value_of(1, occurred_at="2024-04-30T23:59:59Z"))
    member.poll(15)
    assert [reason for _, _, reason, _ in world.database.rejects] == ["outside_window"]


# -- ends of the log


def test_an_end_without_records_moves_the_stored_offset() -> None:
    world = World()
    publish(world, 0, 1)
    world.broker.mark(0, 3)
    member = started(world, 0)
    member.poll(15)
    assert world.database.positions == {0: 4}
    world.broker.mark(0, 2)
    member.poll(15)
    assert world.database.positions == {0: 6}
    assert world.database.ledger[-1] == (0, 4, 6, (0, 0, 0, 0, 0))


def test_markers_between_records_lie_inside_the_slices() -> None:
    world = World()
    for number in range(4):
        publish(world, 0, number)
        world.broker.mark(0)
    started(world, 0).poll(20)
    assert world.database.positions == {0: 8}
    assert world.database.totals == {0: (4, 4, 0, 0, 0)}


def test_an_end_that_was_stored_opens_no_batch_again() -> None:
    world = World()
    publish(world, 0, 1)
    member = started(world, 0)
    member.poll(50)
    assert len(world.database.ledger) == 1


# -- following the group


@pytest.mark.parametrize("how", ["revoke", "lose"])
def test_a_partition_that_goes_takes_its_open_batch_along(how: str) -> None:
    world = World(2)
    publish(world, 0, 1, 2)
    publish(world, 1, 11)
    member = started(world, 0, 1)
    member.poll()
    getattr(member.source, how)(0)
    member.poll(30)
    assert stored_numbers(world) == [11]
    assert world.database.positions == {0: 0, 1: 1}
    assert [hint.keys() for hint in member.schedule.times("hint")] == [{1}]


def test_what_was_dropped_is_read_again_by_the_next_owner() -> None:
    world = World()
    publish(world, 0, *range(15))
    first, second = started(world, 0), world.member()
    first.poll(2)
    first.source.revoke(0)
    first.poll(1)
    second.source.assign(0)
    second.poll(30)
    assert world.database.totals == {0: (15, 15, 0, 0, 0)}


def test_a_partition_that_comes_back_starts_from_the_store() -> None:
    world = World()
    publish(world, 0, 1, 2, 3)
    member = started(world, 0)
    member.poll()
    member.source.revoke(0)
    member.source.assign(0)
    member.poll(30)
    assert member.schedule.times("start") == [{0: 0}, {0: 0}]
    assert world.database.totals == {0: (3, 3, 0, 0, 0)}


def test_a_partition_that_comes_back_during_its_write_starts_after_it() -> None:
    world = World()
    publish(world, 0, *range(10))
    member = started(world, 0)
    member.steps.held = True
    member.poll(3)
    member.source.revoke(0)
    member.source.assign(0)
    member.poll(3)
    assert member.schedule.times("start") == [{0: 0}], "the store has not answered yet"
    member.steps.held = False
    member.poll(30)
    assert member.schedule.times("start") == [{0: 0}, {0: 10}]
    assert world.database.totals == {0: (10, 10, 0, 0, 0)}


def test_a_partition_that_went_before_its_offset_was_told_is_not_started() -> None:
    world = World()
    member = world.member()
    member.steps.held = True
    member.source.assign(0)
    member.poll(2)
    member.source.revoke(0)
    member.poll()
    member.steps.held = False
    member.poll(5)
    assert member.schedule.times("start") == []


def test_a_write_of_a_partition_that_went_is_hinted_no_more() -> None:
    world = World()
    publish(world, 0, *range(10))
    member = started(world, 0)
    member.steps.held = True
    member.poll(2)
    member.source.lose(0)
    member.poll()
    member.steps.held = False
    member.poll(2)
    assert world.database.positions == {0: 10}
    assert member.schedule.times("hint") in ([], [{}])


def test_records_that_come_after_their_partition_went_are_dropped() -> None:
    world = World()
    publish(world, 0, *range(3))
    member = started(world, 0)
    member.poll()
    member.source.return_stale(0, 0)
    member.source.revoke(0)
    member.poll(30)
    assert (world.database.events, world.database.totals) == ({}, {0: (0, 0, 0, 0, 0)})


def test_records_that_come_before_their_partition_is_started_are_dropped() -> None:
    world = World()
    publish(world, 0, *range(3))
    member = world.member()
    member.source.assign(0)
    member.source.return_stale(0, 1)
    member.poll(30)
    assert world.database.totals == {0: (3, 3, 0, 0, 0)}


# -- losing to another


def test_a_refused_position_starts_again_only_its_partition() -> None:
    world = World(2)
    publish(world, 0, *range(4))
    publish(world, 1, *range(10, 14))
    slow, other = started(world, 0, 1), world.member(ingester_batch_rows_max=3)
    slow.poll()
    other.source.assign(0)
    other.poll(3)
    assert world.database.positions[0] == 3
    slow.poll(40)
    assert slow.schedule.times("start") == [{0: 0, 1: 0}, {0: 3}]
    assert world.database.totals == {0: (4, 4, 0, 0, 0), 1: (4, 4, 0, 0, 0)}
    assert slow.pipeline.totals.refused == 1


def test_what_was_read_after_a_refused_batch_is_dropped_too() -> None:
    world = World()
    publish(world, 0, *range(25))
    slow, other = started(world, 0), world.member(ingester_batch_rows_max=3)
    slow.steps.held = True
    slow.poll(4)
    other.source.assign(0)
    other.poll(3)
    other.source.revoke(0)
    other.poll()
    slow.steps.held = False
    slow.poll(40)
    assert slow.schedule.times("start") == [{0: 0}, {0: 3}]
    assert world.database.totals == {0: (25, 25, 0, 0, 0)}


def test_a_refused_position_of_a_partition_that_went_is_not_started() -> None:
    world = World()
    publish(world, 0, *range(10))
    zombie, other = started(world, 0), world.member()
    zombie.steps.held = True
    zombie.poll(2)
    other.source.assign(0)
    other.poll(5)
    zombie.source.lose(0)
    zombie.poll()
    zombie.steps.held = False
    zombie.poll(5)
    assert zombie.schedule.times("start") == [{0: 0}]
    assert zombie.schedule.times("write") == [{}], "it has written nothing"
    assert world.database.totals == {0: (10, 10, 0, 0, 0)}


# -- outages


def test_an_outage_is_outlasted_while_polling_goes_on() -> None:
    world = World()
    publish(world, 0, *range(35))
    member = started(world, 0)
    world.database.faults.extend(["outage"] * 40)
    member.poll(12)
    assert member.source.paused
    assert len(member.schedule.times("try")) > 10, "it is tried again and again"
    assert len(member.schedule.asked_for) == 14, "and polling goes on"
    assert world.database.events == {}
    member.poll(120)
    assert [kind for kind, _ in member.did("pause", "resume")] == ["pause", "resume"]
    assert world.database.totals == {0: (35, 35, 0, 0, 0)}


@pytest.mark.parametrize("what", ["pause", "resume"])
def test_a_pause_or_its_end_that_fails_is_tried_again(what: str) -> None:
    world = World()
    publish(world, 0, *range(35))
    member = started(world, 0)
    world.database.faults.extend(["outage"] * 40)
    for _ in range(2):
        member.source.refuse(what)
    member.poll(150)
    assert [kind for kind, _ in member.did("pause", "resume")] == ["pause", "resume"]
    assert world.database.totals == {0: (35, 35, 0, 0, 0)}


def test_while_the_writer_is_busy_the_next_batch_fills_and_no_more() -> None:
    world = World()
    publish(world, 0, *range(100))
    member = started(world, 0)
    member.steps.held = True
    member.poll(30)
    member.steps.held = False
    assert member.source.paused
    member.poll(2)
    sizes = [batch[0][1] - batch[0][0] for batch in tried(member)]
    assert sizes[0] == 10
    assert max(sizes) <= 11, "a full batch leaves room for one record until its partition rests"


def test_a_batch_that_is_due_but_not_full_waits_for_the_writer_without_a_pause() -> None:
    world = World()
    publish(world, 0, *range(10))
    member = started(world, 0)
    member.steps.held = True
    member.poll(2)
    publish(world, 0, 10)
    before = world.time.seconds
    member.poll(30)
    assert world.time.seconds > before + 1.0
    assert member.did("pause") == []


@pytest.mark.parametrize("reply", ["before", "after"])
def test_a_commit_whose_answer_was_lost_is_settled(reply: str) -> None:
    world = World()
    publish(world, 0, *range(20))
    member = started(world, 0)
    world.database.lose_reply("before" if reply == "before" else "after")
    member.poll(40)
    assert world.database.totals == {0: (20, 20, 0, 0, 0)}
    assert [entry[1:3] for entry in world.database.ledger] == [(0, 10), (10, 20)]


def test_an_outage_at_the_start_delays_it() -> None:
    world = World()
    publish(world, 0, 1)
    world.database.faults.extend(["outage"] * 5)
    started(world, 0).poll(30)
    assert stored_numbers(world) == [1]


def test_a_cluster_that_does_not_answer_is_asked_again_after_a_second() -> None:
    world = World()
    member = world.member()
    member.cluster_away = 3
    member.source.assign(0)
    member.poll(10)
    assert member.source.reading == set()
    member.poll(40)
    assert member.source.reading == {0}
    assert world.time.seconds >= 3


def test_a_start_that_the_group_interrupts_is_tried_again() -> None:
    world = World()
    publish(world, 0, 1)
    member = world.member()
    member.source.refuse("start")
    member.source.assign(0)
    member.poll(30)
    assert stored_numbers(world) == [1]


# -- what a person must look at


def test_nearly_nothing_but_rubbish_stops_before_its_batch_is_written() -> None:
    world = World()
    world.broker.publish(0, *[b"rubbish"] * 30)
    member = started(world, 0, ingester_breaker_records=20, ingester_batch_rows_max=20)
    with pytest.raises(UnhealthyStream):
        member.poll(5)
    assert member.pipeline.finish(5.0, write_open_batch=False)
    assert (world.database.rejects, world.database.positions) == ([], {0: 0})


def test_what_earlier_batches_held_when_the_breaker_trips_stays_in_quarantine() -> None:
    world = World()
    world.broker.publish(0, *[b"rubbish"] * 30)
    member = started(world, 0, ingester_breaker_records=20, ingester_batch_rows_max=10)
    with pytest.raises(UnhealthyStream):
        member.poll(50)
    assert member.pipeline.finish(5.0, write_open_batch=False)
    assert (len(world.database.rejects), world.database.positions) == (10, {0: 10})


def test_rubbish_on_one_partition_stops_before_anything_of_that_batch_is_written() -> None:
    world = World(2)
    publish(world, 0, *range(5))
    world.broker.publish(1, *[b"rubbish"] * 30)
    member = started(world, 0, 1, ingester_breaker_records=15, ingester_batch_rows_max=20)
    with pytest.raises(UnhealthyStream, match="partition 1"):
        member.poll(5)
    member.pipeline.finish(5.0, write_open_batch=False)
    assert (world.database.rejects, world.database.events) == ([], {})


@pytest.mark.parametrize(
    ("low", "high", "complaint"),
    [(11, 20, r"begins at 11: 1 offsets were deleted"), (0, 9, r"ends at 9: it was truncated")],
)
def test_a_stored_offset_outside_the_log_stops_the_member(
    low: int, high: int, complaint: str
) -> None:
    world = World()
    publish(world, 0, *range(10))
    started(world, 0).poll(4)
    world.broker.lows[0], world.broker.highs[0] = low, high
    with pytest.raises(NeedsAPerson, match=complaint):
        started(world, 0).poll(5)
    assert world.database.positions == {0: 10}


def test_what_the_store_cannot_explain_ends_the_member() -> None:
    world = World()
    publish(world, 0, *range(10))
    member = started(world, 0)
    del world.database.positions[0]
    with pytest.raises(IngesterError):
        member.poll(5)


def test_a_store_that_knows_more_than_the_watermarks_did_is_no_alarm() -> None:
    world = World()
    publish(world, 0, *range(5))
    zombie, successor = started(world, 0), world.member()
    successor.steps.held = True
    successor.source.assign(0)
    successor.poll(2)
    publish(world, 0, *range(5, 10))
    zombie.poll(5)
    assert world.database.positions == {0: 10}
    successor.steps.held = False
    successor.poll(10)
    assert successor.schedule.times("start") == [{0: 10}]


# -- until caught up


def test_until_caught_up_waits_for_all_partitions_also_those_of_others() -> None:
    world = World(2)
    publish(world, 0, *range(3))
    publish(world, 1, *range(10, 13))
    member, other = world.member(targets={0: 3, 1: 3}), world.member()
    member.source.assign(0)
    assert not member.poll(100)
    assert world.database.positions == {0: 3}
    other.source.assign(1)
    other.poll(30)
    assert member.poll(100)


def test_until_caught_up_counts_what_is_stored_and_not_what_was_read() -> None:
    world = World()
    publish(world, 0, *range(3))
    member = world.member(targets={0: 3})
    member.source.assign(0)
    assert not member.poll(2)
    member.steps.held = True
    assert not member.poll(300)
    assert world.database.positions == {0: 0}
    member.steps.held = False
    assert member.poll(20)
    assert world.database.positions == {0: 3}


def test_what_was_waited_for_is_written_without_waiting_for_more() -> None:
    world = World()
    publish(world, 0, *range(3))
    member = world.member(targets={0: 3}, ingester_batch_age_seconds_max=60)
    member.source.assign(0)
    assert member.poll(50)
    assert world.database.positions == {0: 3}


def test_until_caught_up_passes_markers_at_the_end() -> None:
    world = World()
    publish(world, 0, 1)
    world.broker.mark(0, 2)
    member = world.member(targets={0: 3})
    member.source.assign(0)
    assert member.poll(60)


def test_an_empty_topic_is_caught_up_at_once() -> None:
    member = World().member(targets={0: 0})
    assert member.poll(10)


def test_until_caught_up_outlasts_an_outage() -> None:
    world = World()
    publish(world, 0, *range(3))
    world.database.faults.extend(["outage"] * 20)
    member = world.member(targets={0: 3})
    member.source.assign(0)
    assert member.poll(200)
    assert world.database.totals == {0: (3, 3, 0, 0, 0)}


def test_until_caught_up_ends_though_new_records_keep_coming() -> None:
    world = World()
    publish(world, 0, *range(3))
    member = world.member(targets={0: 3}, ingester_batch_age_seconds_max=0.2)
    member.source.assign(0)
    for number in range(3, 300):
        publish(world, 0, number)
        world.time.seconds += 0.01
        if member.poll():
            return
    pytest.fail(f"{world.database.positions} stored, and the target was 3")


# -- leaving


def test_a_stop_ends_the_run_and_the_open_batch_is_written() -> None:
    world = World()
    publish(world, 0, 1, 2)
    member = started(world, 0)
    member.poll(2)
    member.pipeline.stop()
    assert member.poll(5)
    assert member.pipeline.finish(5.0, write_open_batch=True)
    assert stored_numbers(world) == [1, 2]
    assert member.schedule.times("hint") == [{0: 2}]


def test_a_stop_waits_for_the_write_under_way_and_then_for_the_open_batch() -> None:
    world = World()
    publish(world, 0, *range(15))
    member = started(world, 0)
    world.database.faults.append("outage")
    member.poll(3)
    member.pipeline.stop()
    assert member.pipeline.finish(5.0, write_open_batch=True)
    assert world.database.totals == {0: (15, 15, 0, 0, 0)}


def test_a_stop_that_takes_too_long_leaves_the_rest_to_the_next() -> None:
    world = World()
    publish(world, 0, *range(15))
    member = started(world, 0)
    member.steps.held = True
    member.poll(3)
    member.pipeline.stop()
    assert not member.pipeline.finish(5.0, write_open_batch=True)
    assert world.time.seconds >= 5.0
    assert world.database.events == {}
    started(world, 0).poll(40)
    assert world.database.totals == {0: (15, 15, 0, 0, 0)}


def test_a_stop_during_an_outage_comes_out_as_temporary() -> None:
    world = World()
    publish(world, 0, *range(3))
    member = started(world, 0)
    member.poll(1)
    world.database.faults.extend(["outage"] * 50)
    member.steps.stopping = True
    with pytest.raises(TemporaryError):
        member.pipeline.finish(5.0, write_open_batch=True)
    assert world.database.events == {}


def test_a_stop_without_anything_in_hand_is_quick() -> None:
    world = World()
    member = started(world, 0)
    before = world.time.seconds
    assert member.pipeline.finish(5.0, write_open_batch=True)
    assert world.time.seconds == before


# -- a topic made again under its name


def test_a_topic_made_again_while_it_is_read_stops_before_anything_of_it_is_written() -> None:
    world = World()
    publish(world, 0, 1, 2)
    member = started(world, 0)
    member.poll(100)
    assert stored_numbers(world) == [1, 2]
    another = Topic(TOPIC.name, "another id", TOPIC.cluster_id)
    member.pipeline.identify = lambda: another
    publish(world, 0, 3)
    with pytest.raises(NeedsAPerson, match="made again"):
        member.poll(100)
    assert stored_numbers(world) == [1, 2]


# -- what is measured


def measured(member: Member) -> dict[tuple[str, str], float]:
    """A meter for this member, looked at after what it does next."""
    meter = ProcessMeter("1")
    member.pipeline.meter = meter
    member.poll(40)
    return dict(meter.figures.samples())


def test_the_figures_of_a_member_are_what_the_store_holds() -> None:
    world = World()
    world.broker.publish(0, value_of(1), b"rubbish", value_of(1), None, value_of(2))
    member = world.member()
    member.source.assign(0)
    shown = measured(member)
    assert shown[metric.RECORDS.name, ""] == 5
    assert shown[metric.EVENTS.name, ""] == 2
    assert shown[metric.DUPLICATES.name, ""] == 1
    assert shown[metric.REJECTED.name, "invalid_json"] == 1
    assert shown[metric.REJECTED.name, "tombstone"] == 1
    assert shown[metric.BATCHES.name, ""] == 1
    assert shown[metric.REBALANCES.name, "assigned"] == 1
    assert shown[metric.JOINED.name, "1"] == 1
    assert BEGINNING.timestamp() < shown[metric.LAST_COMMIT.name, "1"]
    assert shown[metric.LOOP.name, "1"] == world.time.now().timestamp()
    assert member.pipeline.stored() == world.database.positions


def test_what_is_stored_is_what_the_store_says_and_only_of_partitions_that_are_ours() -> None:
    world = World(2)
    publish(world, 0, *range(15))
    publish(world, 1, *range(20, 25))
    member = started(world, 0, 1)
    member.steps.held = True
    member.poll(4)
    assert member.pipeline.stored() == {0: 0, 1: 0}
    member.steps.held = False
    member.source.revoke(1)
    member.poll(30)
    assert member.pipeline.stored() == {0: 15}


def test_a_member_that_lost_its_partitions_is_no_member_until_it_is_asked_again() -> None:
    member = started(World(), 0)
    member.source.lose(0)
    assert measured(member)[metric.JOINED.name, "1"] == 0
    member.source.assign(0)
    assert measured(member)[metric.JOINED.name, "1"] == 1


def test_a_stalled_partition_starts_again_from_the_store() -> None:
    world = World()
    publish(world, 0, *range(15))
    member = started(world, 0)
    member.poll(20)
    member.pipeline.restart([0, 7])
    publish(world, 0, *range(20, 25))
    member.poll(30)
    assert member.schedule.times("start") == [{0: 0}, {0: 15}]
    assert world.database.totals == {0: (20, 20, 0, 0, 0)}


def test_a_stalled_partition_waits_for_the_write_under_way() -> None:
    world = World()
    publish(world, 0, *range(10))
    member = started(world, 0)
    member.steps.held = True
    member.poll(3)
    member.pipeline.restart([0])
    member.poll(3)
    assert member.schedule.times("start") == [{0: 0}]
    member.steps.held = False
    member.poll(30)
    assert member.schedule.times("start") == [{0: 0}, {0: 10}]
