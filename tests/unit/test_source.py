"""The Kafka edge on a scripted client: what librdkafka hands over late or twice goes no further."""

import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from ingester.errors import OffsetGap, TemporaryError
from ingester.kafka import Source
from ingester.settings import Settings


@dataclass
class Scripted:
    """A record, an end or an error, as the client would hand it over."""

    number: int
    position: int
    fault: Any = None
    epoch: int = 0

    def leader_epoch(self) -> int:
        return self.epoch

    def partition(self) -> int:
        return self.number

    def offset(self) -> int:
        return self.position

    def error(self) -> Any:
        return self.fault


@dataclass
class Client:
    """Takes the place of confluent_kafka.Consumer."""

    conf: dict[str, Any]
    script: list[list[Scripted]] = field(default_factory=list)
    assigned: list[tuple[str, list[tuple[int, int]]]] = field(default_factory=list)
    callbacks: dict[str, Any] = field(default_factory=dict)
    resumed: list[int] = field(default_factory=list)
    watermarks: tuple[int, int] = (0, 100)
    faults: dict[str, int] = field(default_factory=dict)
    """How often the call of a name still fails, for a reason that passes."""
    fault_code: int = KafkaError.LEADER_NOT_AVAILABLE
    closable: threading.Event = field(default_factory=threading.Event)
    is_closing: threading.Event = field(default_factory=threading.Event)

    def _may(self, call: str) -> None:
        if self.faults.get(call):
            self.faults[call] -= 1
            raise KafkaException(KafkaError(self.fault_code))

    def get_watermark_offsets(self, _: TopicPartition, timeout: float) -> tuple[int, int]:
        assert timeout > 0
        self._may("watermarks")
        return self.watermarks

    def subscribe(self, _: list[str], **callbacks: Any) -> None:
        self.callbacks = callbacks

    def consume(self, _: int, __: float) -> list[Scripted]:
        return self.script.pop(0) if self.script else []

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        self._may("assign")
        self.assigned.append(("assign", [(each.partition, each.offset) for each in partitions]))

    def resume(self, partitions: list[TopicPartition]) -> None:
        self.resumed += [each.partition for each in partitions]

    def incremental_unassign(self, partitions: list[TopicPartition]) -> None:
        self._may("unassign")
        self.assigned.append(("unassign", [(each.partition, 0) for each in partitions]))

    def unsubscribe(self) -> None:
        """Nothing to leave."""

    def close(self) -> None:
        self.is_closing.set()
        self.closable.wait()

    def decide(self, what: str, *partitions: int) -> None:
        self.callbacks[what](self, [TopicPartition("t", number) for number in partitions])


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    made = Client({})

    def make(conf: dict[str, Any]) -> Client:
        made.conf = conf
        return made

    monkeypatch.setattr("ingester.kafka.source.Consumer", make)
    return made


@pytest.fixture
def source(client: Client) -> Source:
    assert client.script == []
    return Source(Settings(_env_file=None), "test")


def offsets_of(source: Source) -> list[tuple[int, list[int]]]:
    polled = source.poll(100, 0.0)
    return [(partition, [each.offset() for each in run]) for partition, run in polled.runs]


def records(partition: int, *offsets: int) -> list[Scripted]:
    return [Scripted(partition, offset) for offset in offsets]


def end(partition: int, offset: int) -> Scripted:
    return Scripted(partition, offset, KafkaError(KafkaError._PARTITION_EOF))


def test_an_assignment_reads_nothing_until_it_was_started(client: Client, source: Source) -> None:
    client.decide("on_assign", 0)
    assert client.assigned == [("assign", [])], "acknowledged, so that librdkafka assigns nothing"
    client.script = [records(0, 5)]
    assert offsets_of(source) == []
    source.start({0: 5})
    assert client.assigned[-1] == ("assign", [(0, 5)])
    client.script = [records(0, 5)]
    assert offsets_of(source) == [(0, [5])]


def test_records_come_in_runs_as_they_arrived(client: Client, source: Source) -> None:
    source.start({0: 0, 1: 0})
    client.script = [records(0, 0, 1) + records(1, 0) + records(0, 2)]
    assert offsets_of(source) == [(0, [0, 1]), (1, [0]), (0, [2])]


def test_offsets_below_the_expected_one_are_dropped(client: Client, source: Source) -> None:
    source.start({0: 5})
    client.script = [records(0, 3, 4, 5, 6), records(0, 5, 6), records(0, 6, 7, 9)]
    assert offsets_of(source) == [(0, [5, 6])]
    assert offsets_of(source) == []
    assert offsets_of(source) == [(0, [7, 9])]


def test_records_that_repeat_within_one_poll_are_dropped(client: Client, source: Source) -> None:
    source.start({0: 0, 1: 0})
    client.script = [records(0, 0, 1) + records(1, 0) + records(0, 1, 2)]
    read = [offset for partition, run in offsets_of(source) for offset in run if partition == 0]
    assert read == [0, 1, 2]


def test_a_partition_that_goes_while_paused_is_not_silent_when_it_returns(
    client: Client, source: Source
) -> None:
    # librdkafka keeps the application's pause of a partition across assignments.
    source.start({0: 0, 1: 0})
    client.decide("on_revoke", 1)
    assert client.resumed == [1]


def test_started_again_a_partition_is_read_from_there(client: Client, source: Source) -> None:
    source.start({0: 0})
    client.script = [records(0, 0, 1, 2)]
    source.poll(100, 0.0)
    source.start({0: 1})
    assert client.assigned[-2:] == [("unassign", [(0, 0)]), ("assign", [(0, 1)])]
    client.script = [records(0, 1, 2)]
    assert offsets_of(source) == [(0, [1, 2])]


@pytest.mark.parametrize("what", ["on_revoke", "on_lost"])
def test_records_of_a_partition_that_went_are_dropped(
    client: Client, source: Source, what: str
) -> None:
    source.start({0: 0, 1: 0})
    client.decide(what, 0)
    client.script = [[*records(0, 0), *records(1, 0), end(0, 1)]]
    polled = source.poll(100, 0.0)
    assert [partition for partition, _ in polled.runs] == [1]
    assert polled.ends == {}
    assert source.rebalances() == [(what.removeprefix("on_").replace("revoke", "revoked"), [0])]
    assert source.rebalances() == []


@pytest.mark.parametrize("what", ["on_revoke", "on_lost"])
def test_a_callback_never_raises_into_the_poll_that_called_it(
    client: Client, source: Source, what: str
) -> None:
    source.start({0: 0, 1: 0})
    client.faults = {"unassign": 1}
    client.decide(what, 0)
    client.script = [[*records(0, 0), *records(1, 0)]]
    assert offsets_of(source) == [(1, [0])]
    assert [partitions for _, partitions in source.rebalances()] == [[0]]


def test_a_close_that_hangs_is_not_waited_for(client: Client, source: Source) -> None:
    assert not source.close(0.01)
    client.closable.set()
    assert source.close(60.0)


def test_a_client_that_does_not_find_back_into_its_group_is_followed_by_a_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clients: list[Client] = []
    clock = [0.0]

    def make(conf: dict[str, Any]) -> Client:
        clients.append(Client(conf))
        return clients[-1]

    monkeypatch.setattr("ingester.kafka.source.Consumer", make)
    monkeypatch.setattr("ingester.kafka.source.time.monotonic", lambda: clock[0])
    source = Source(Settings(_env_file=None), "test")
    (first,) = clients
    first.decide("on_assign", 0)
    source.start({0: 0})
    first.decide("on_lost", 0)
    clock[0] += 29
    source.poll(100, 0.0)
    first.decide("on_assign", 0)
    clock[0] += 100
    source.poll(100, 0.0)
    assert clients == [first], "it had found back"
    first.decide("on_lost", 0)
    clock[0] += 31
    source.poll(100, 0.0)
    first, second = clients
    assert first.is_closing.wait(60)
    source.rebalances()
    first.decide("on_assign", 0)  # the forsaken one has nothing to say any more
    first.decide("on_lost", 0)
    assert source.rebalances() == []
    second.decide("on_assign", 0)
    assert source.rebalances() == [("assigned", [0])]
    source.start({0: 7})
    second.script = [records(0, 7, 8)]
    assert offsets_of(source) == [(0, [7, 8])]
    first.decide("on_lost", 0)  # as its close comes to an end
    clock[0] += 1000
    source.poll(100, 0.0)
    assert clients == [first, second], "the new one is in the group"
    first.closable.set()


@pytest.mark.parametrize("code", [KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART])
def test_a_broker_that_starts_up_may_not_know_the_topic_yet(
    client: Client, source: Source, code: int
) -> None:
    client.faults = {"watermarks": 1}
    client.fault_code = code
    with pytest.raises(TemporaryError):
        source.watermarks(0)
    assert source.watermarks(0) == (0, 100)


def test_an_end_is_told_with_its_position_past_the_markers(client: Client, source: Source) -> None:
    source.start({0: 0})
    client.script = [[*records(0, 0), end(0, 3)], [end(0, 3)], [end(0, 2)], records(0, 2, 3)]
    assert source.poll(100, 0.0).ends == {0: 3}
    assert source.poll(100, 0.0).ends == {0: 3}
    assert source.poll(100, 0.0).ends == {}
    assert offsets_of(source) == [(0, [3])]


def test_an_end_that_more_records_followed_is_told_no_more(client: Client, source: Source) -> None:
    source.start({0: 0})
    client.script = [[*records(0, 0), end(0, 1), *records(0, 1)]]
    polled = source.poll(100, 0.0)
    assert polled.ends == {}
    assert sum(len(run) for _, run in polled.runs) == 2


OUT_OF_RANGE = Scripted(0, 0, KafkaError(KafkaError._AUTO_OFFSET_RESET))


@pytest.mark.parametrize(
    ("watermarks", "told"),
    [
        ((60, 100), "10 offsets were deleted"),
        ((0, 40), "it was truncated"),
        ((0, 100), "leader epochs"),
    ],
)
def test_an_offset_out_of_range_is_never_skipped(
    client: Client, source: Source, watermarks: tuple[int, int], told: str
) -> None:
    source.start({0: 50})
    client.script, client.watermarks = [[OUT_OF_RANGE]], watermarks
    with pytest.raises(OffsetGap, match=told):
        source.poll(100, 0.0)


def test_an_offset_out_of_range_is_looked_at_again_when_the_broker_is_back(
    client: Client, source: Source
) -> None:
    source.start({0: 50, 1: 0}, {0: 3})
    client.script = [[OUT_OF_RANGE, *records(1, 0)], [OUT_OF_RANGE]]
    client.watermarks, client.faults = (60, 100), {"watermarks": 1}
    assert offsets_of(source) == [(1, [0])], "what the same poll brought is not lost"
    assert client.assigned[-1] == ("assign", [(0, 49)]), "to be refused once more"
    with pytest.raises(OffsetGap, match="10 offsets were deleted"):
        source.poll(100, 0.0)


@pytest.mark.parametrize("call", ["assign", "unassign"])
def test_a_partition_that_cannot_be_read_anew_can_be_later(
    client: Client, source: Source, call: str
) -> None:
    source.start({0: 50, 1: 0})
    client.script = [[OUT_OF_RANGE, *records(1, 0)]]
    client.faults = {"watermarks": 1, call: 1}
    assert offsets_of(source) == [(1, [0])]
    source.start({0: 50})
    assert client.assigned[-2:] == [("unassign", [(0, 0)]), ("assign", [(0, 50)])]


def test_an_offset_out_of_range_of_a_partition_that_went_is_no_alarm(
    client: Client, source: Source
) -> None:
    client.script = [[OUT_OF_RANGE]]
    assert offsets_of(source) == []


def test_the_record_before_the_start_tells_whether_the_log_is_the_one_that_was_read(
    client: Client, source: Source
) -> None:
    source.start({0: 50}, {0: 3})
    assert client.assigned == [("assign", [(0, 49)])]
    client.script = [[Scripted(0, 49, epoch=3), *records(0, 50)]]
    assert offsets_of(source) == [(0, [50])]

    source.start({0: 50}, {0: 3})
    client.script = [[Scripted(0, 49, epoch=4), *records(0, 50)]]
    with pytest.raises(OffsetGap, match="leader epochs"):
        source.poll(100, 0.0)


def test_a_record_before_the_start_that_is_gone_is_no_alarm(client: Client, source: Source) -> None:
    source.start({0: 50}, {0: 3})
    client.script = [[Scripted(0, 50, epoch=4)]]
    assert offsets_of(source) == [(0, [50])]

    source.start({0: 50}, {0: 3})
    client.script, client.watermarks = [[OUT_OF_RANGE], records(0, 50)], (50, 100)
    assert offsets_of(source) == []
    assert client.assigned[-1] == ("assign", [(0, 50)])
    assert offsets_of(source) == [(0, [50])]


def test_a_passing_fault_of_a_partition_loses_no_records(client: Client, source: Source) -> None:
    source.start({0: 0})
    fault = Scripted(0, 0, KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
    client.script = [[*records(0, 0), fault, *records(0, 1)]]
    assert [offset for _, run in offsets_of(source) for offset in run] == [0, 1]


def test_what_would_void_the_guarantee_is_set_whatever_else_is(client: Client) -> None:
    conf = {"fetch.min.bytes": "7", "client.id": "mine"}
    Source(Settings(_env_file=None, kafka_conf=conf), "worker-1")
    assert client.conf["fetch.min.bytes"] == "7"
    assert client.conf["enable.auto.commit"] is False
    assert client.conf["auto.offset.reset"] == "error"
    assert client.conf["isolation.level"] == "read_committed"
    assert client.conf["enable.partition.eof"] is True
