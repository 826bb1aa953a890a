"""How a stored offset and its topic part ways, and the audited command that goes on from there.

Kafka alone would go on silently: a consumer whose offset is out of range jumps to one end of the
log, and one whose topic was made again reads on as if nothing had happened. Here every such case
has a name and a message; nothing is skipped and nothing read twice without a decision. Pure: the
facts are brought by whoever has asked Kafka and the store.
"""

from dataclasses import dataclass
from enum import StrEnum

from ingester.batch import Topic
from ingester.errors import OffsetGap


class Fit(StrEnum):
    """How a stored offset and the topic fit together."""

    FITS = "fits"
    DELETED = "deleted"
    """Records were deleted before they were read: retention, or DeleteRecords."""
    BEYOND_THE_END = "beyond the end"
    """The log ends before the stored offset: truncated, or restored from something older."""
    TRUNCATED = "truncated"
    """The log was truncated and filled again past the stored offset; its leader epochs tell."""
    OTHER_TOPIC = "other topic"
    """Another topic or another cluster behind the same name."""
    NOT_IN_TOPIC = "not in topic"
    """The topic has fewer partitions than were stored."""


@dataclass(frozen=True, slots=True)
class Position:
    """A stored offset with what it belongs to; `leader_epoch` of the last record before it."""

    partition: int
    first_offset: int
    next_offset: int
    leader_epoch: int | None
    cluster_id: str | None
    topic_id: str | None


def fit_of(
    position: Position, topic: Topic, watermarks: tuple[int, int] | None, *, truncated: bool
) -> Fit:
    """Which case this is; `watermarks` is None where the topic has no such partition."""
    if (position.topic_id, position.cluster_id) != (topic.topic_id, topic.cluster_id):
        return Fit.OTHER_TOPIC
    if watermarks is None:
        return Fit.NOT_IN_TOPIC
    low, high = watermarks
    if position.next_offset < low:
        return Fit.DELETED
    if position.next_offset > high:
        return Fit.BEYOND_THE_END
    return Fit.TRUNCATED if truncated else Fit.FITS


def outside(topic: str, partition: int, offset: int, low: int, high: int) -> OffsetGap | None:
    """The error for a stored offset that lies outside the log; None where it lies inside."""
    where = f"{topic}[{partition}]: the stored offset is {offset}, but the topic"
    if offset < low:
        return OffsetGap(
            f"{where} begins at {low}: {low - offset} offsets were deleted before they were read. "
            "Nothing was skipped. To see and to accept that gap: "
            f"ingester offsets accept-gap --partition {partition}"
        )
    if offset > high:
        return OffsetGap(
            f"{where} ends at {high}: it was truncated, or an older copy of it answers. "
            f"Nothing was read. {_adopt(partition)}"
        )
    return None


def truncated(topic: str, partition: int, offset: int) -> OffsetGap:
    """The error for a log that was cut below the stored offset and has grown past it again."""
    return OffsetGap(
        f"{topic}[{partition}]: the log was truncated below the stored offset {offset} and filled "
        f"again with other records (its leader epochs tell). Nothing was read. {_adopt(partition)}"
    )


def other_topic(topic: Topic, position: Position) -> OffsetGap:
    """The error for a stored offset that belongs to another topic or cluster of this name."""
    changed = "cluster" if position.cluster_id != topic.cluster_id else "topic"
    what = "is this another cluster" if changed == "cluster" else "was the topic made again"
    return OffsetGap(
        f"{topic.name}[{position.partition}]: the stored offset {position.next_offset} belongs to "
        f"topic id {position.topic_id} in cluster {position.cluster_id}, but this is topic id "
        f"{topic.topic_id} in cluster {topic.cluster_id}: {what}? Nothing was read. {_adopt()}"
    )


def made_again(topic: Topic, found: Topic) -> OffsetGap:
    """The error for a topic that was made again under its name while it was read."""
    return OffsetGap(
        f"{topic.name} was made again while it was read: its id was {topic.topic_id} and is "
        f"{found.topic_id}. Nothing of the new topic was written. {_adopt()}"
    )


def _adopt(partition: int | None = None) -> str:
    named = "" if partition is None else f" --partition {partition}"
    return f"To see and to adopt the topic as it is now: ingester offsets adopt{named}"
