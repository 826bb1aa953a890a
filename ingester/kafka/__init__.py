"""The edge to Kafka: the only package that imports confluent_kafka.

    errors      librdkafka's errors become ours, by code
    conf        what every client is told
    record      what a consumer hands out; its headers
    admin       the topic's identity and ends
    source      a member of the consumer group
    reader      ranges of a topic again, outside any group
    publisher   an idempotent producer

Here librdkafka's habits are turned into plain facts for the pipeline: runs of records, ends of
partitions, assignments as events. It must not know what a record means, nor where offsets are
stored; the caller says where each partition starts.
"""

from ingester.kafka.admin import Admin, TopicIdentity
from ingester.kafka.publisher import Publisher
from ingester.kafka.reader import Reader
from ingester.kafka.record import headers_of
from ingester.kafka.source import Polled, Source

__all__ = ["Admin", "Polled", "Publisher", "Reader", "Source", "TopicIdentity", "headers_of"]
