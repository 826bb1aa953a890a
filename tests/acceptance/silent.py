"""`python -m tests.acceptance.silent run …`: an `ingester` whose partition 0 goes silent.

Its client hands over nothing of that partition, and no error either, until the partition is
assigned for the second time: a fetcher that has stopped, as it was seen with librdkafka. The
ingester itself knows nothing of it.
"""

from typing import Any

from confluent_kafka import Consumer, TopicPartition

from ingester.cli import main
from ingester.kafka import source


class Silent(Consumer):
    """A client with a fetcher that needs a second assignment."""

    assignments = 0

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        """Count those of partition 0."""
        self.assignments += any(each.partition == 0 for each in partitions)
        super().incremental_assign(partitions)

    def consume(self, *arguments: Any) -> list[Any]:
        """What has arrived, without what is silent."""
        messages = super().consume(*arguments)
        return [each for each in messages if each.partition() != 0 or self.assignments > 1]


source.Consumer = Silent  # type: ignore[attr-defined]  # also in workers, which import this module anew

if __name__ == "__main__":
    main()
