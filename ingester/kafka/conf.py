"""What every client is told, whatever it is for; and how a client is made of it."""

from collections.abc import Callable
from typing import Any, TypeVar

from confluent_kafka import KafkaException

from ingester.errors import SettingsError
from ingester.settings import Settings

Client = TypeVar("Client")


def client_conf(settings: Settings) -> dict[str, Any]:
    """Where the cluster is, and how to log in."""
    conf: dict[str, Any] = {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "client.id": "campaign-ingester",
        "security.protocol": settings.kafka_security_protocol.lower(),
        # The error callback tells what matters, now and then; librdkafka itself would fill a log.
        "log_level": 2,
    }
    optional = {
        "sasl.mechanism": settings.kafka_sasl_mechanism,
        "sasl.username": settings.kafka_sasl_username,
        "sasl.password": settings.kafka_sasl_password,
        "ssl.ca.location": settings.kafka_ssl_ca_location,
        "ssl.certificate.location": settings.kafka_ssl_certificate_location,
        "ssl.key.location": settings.kafka_ssl_key_location,
        "ssl.key.password": settings.kafka_ssl_key_password,
    }
    for name, value in optional.items():
        if value is not None:
            reveal = getattr(value, "get_secret_value", None)
            conf[name] = reveal() if reveal else str(value)
    return conf


def membership(settings: Settings) -> dict[str, Any]:
    """How a member of the group shows that it lives.

    Under the `consumer` protocol (KIP-848) the broker decides; a client that sets these is refused.
    """
    if settings.kafka_conf.get("group.protocol") == "consumer":
        return {}
    return {
        "partition.assignment.strategy": "cooperative-sticky",
        # A killed worker's partitions move after this long. librdkafka beats on a thread of its
        # own, so a busy pipeline does not miss a beat.
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 1_000,
    }


def made(make: Callable[[dict[str, Any]], Client], conf: dict[str, Any]) -> Client:
    """A client; SettingsError where librdkafka refuses a property."""
    try:
        return make(conf)
    except KafkaException as error:
        raise SettingsError(f"Kafka client: {error.args[0].str()}") from None
