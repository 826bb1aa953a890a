"""Every setting of the system: one frozen model, checked before any connection is made.

Order of precedence: command-line flag, environment, `.env`, default. A field's name in upper case
is its environment variable. Secrets may come from a file: `DATABASE_URL_FILE=/run/secrets/db`.
Units stand in the names.
"""

import difflib
import ipaddress
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as UnreadableSettings

from ingester.errors import SettingsError

_SECRETS: Final = (
    *("database_url", "kafka_sasl_password", "kafka_ssl_key_password"),
    "ingester_dashboard_token",
)

# librdkafka properties that would void the guarantee, and what takes their place.
_REFUSED_KAFKA_CONF: Final = {
    "enable.auto.commit": "offsets live in PostgreSQL",
    "enable.auto.offset.store": "offsets live in PostgreSQL",
    "auto.offset.reset": "a gap must stop the ingester, never be skipped",
    "isolation.level": "aborted transactions must never be read",
    "enable.partition.eof": "the end of a partition is part of the position",
    "partition.assignment.strategy": "assignment is cooperative-sticky",
    "enable.idempotence": "publishers are idempotent",
    "acks": "publishers wait for all replicas",
    "bootstrap.servers": "set KAFKA_BOOTSTRAP_SERVERS",
    "group.id": "set KAFKA_GROUP_ID",
    "group.instance.id": "workers of one machine would share it, and fence each other",
    "security.protocol": "set KAFKA_SECURITY_PROTOCOL",
    # Properties whose other name stands above.
    "auto.commit.enable": "offsets live in PostgreSQL",
    "metadata.broker.list": "set KAFKA_BOOTSTRAP_SERVERS",
    "request.required.acks": "publishers wait for all replicas",
    # Secrets have settings that are masked wherever settings are shown.
    "sasl.password": "set KAFKA_SASL_PASSWORD",
    "ssl.key.password": "set KAFKA_SSL_KEY_PASSWORD",
}

# What makes a broker prove who it is stays at librdkafka's default.
_FIXED_KAFKA_CONF: Final = {
    "enable.ssl.certificate.verification": "true",
    "ssl.endpoint.identification.algorithm": "https",
}

_TOKEN_CHARACTERS_MIN: Final = 16


class Settings(BaseSettings):
    """The effective settings; see `docs/operations.md` for when to change which."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_nested_delimiter="__",
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
    )

    database_url: SecretStr | None = Field(
        default=None, description="libpq URL or key=value string; without it libpq's PG* count."
    )
    kafka_bootstrap_servers: str = "localhost:9092"
    kafka_topic: str = "campaign-events"
    kafka_group_id: str = "campaign-ingester"
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: str | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_ca_location: Path | None = None
    kafka_ssl_certificate_location: Path | None = None
    kafka_ssl_key_location: Path | None = None
    kafka_ssl_key_password: SecretStr | None = None
    kafka_conf: dict[str, str] = Field(
        default_factory=dict,
        repr=False,  # some of librdkafka's other properties are secrets too
        description="KAFKA_CONF__fetch_min_bytes sets fetch.min.bytes.",
    )

    ingester_batch_rows_max: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=40_000, description="Records of one transaction, over all partitions."
    )
    ingester_batch_bytes_max: Annotated[int, Field(ge=1024)] = Field(
        default=16 * 1024 * 1024, description="Bytes of values in one transaction."
    )
    ingester_batch_age_seconds_max: Annotated[float, Field(gt=0, le=60)] = Field(
        default=0.25, description="How long the first record of a batch may wait for others."
    )
    ingester_window_days_back: Annotated[int, Field(ge=1, le=9_000)] = Field(
        default=3_653, description="Oldest accepted occurred_at: ten years."
    )
    ingester_window_days_ahead: Annotated[int, Field(ge=0, le=366)] = 1
    ingester_breaker_records: Annotated[int, Field(ge=0)] = Field(
        default=10_000,
        description="Sample of the breaker, records of one partition; 0 switches it off.",
    )
    ingester_breaker_refused_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.99, description="Stop before writing where this share of the sample is refused."
    )
    ingester_takeover_seconds: Annotated[float, Field(gt=0)] = Field(
        default=15.0,
        description="How long to wait for a lock before ending the backend of ours that holds it.",
    )
    ingester_statement_seconds_max: Annotated[float, Field(gt=0)] = Field(
        default=300.0, description="statement_timeout of the writer and of the refresher."
    )
    ingester_stop_seconds_max: Annotated[float, Field(gt=0, le=9)] = Field(
        default=8.0, description="On SIGTERM: time to finish the open batch before rolling back."
    )
    ingester_campaign_cache_max: Annotated[int, Field(ge=1_000)] = Field(
        default=200_000, description="Campaign keys kept in memory by one worker."
    )
    ingester_partition_months_ahead: Annotated[int, Field(ge=1, le=60)] = 3
    ingester_refresh_interval_seconds: Annotated[float, Field(gt=0)] = 1.0
    ingester_refresh_batches_max: Annotated[int, Field(ge=1)] = Field(
        default=128, description="Ledger rows folded in one transaction."
    )
    ingester_maintenance_interval_seconds: Annotated[float, Field(ge=1)] = Field(
        default=300.0, description="How often partitions, retention and the ledger are looked at."
    )
    ingester_months_to_keep: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Retention of events, in months; unset keeps everything."
    )
    ingester_ledger_days_whole: Annotated[int, Field(ge=0)] = Field(
        default=7, description="Folded ledger rows older than this are merged into ranges."
    )
    ingester_dead_letter_topic: str | None = Field(
        default=None, description="The refresher forwards rejects to this topic; unset: nowhere."
    )
    ingester_prepared_statements: bool = Field(
        default=True, description="Switch off behind a pooler that does not know them."
    )
    ingester_metrics_port: Annotated[int, Field(ge=0, le=65_535)] | None = Field(
        default=None,
        description="Serves /metrics, /livez and /readyz; unset: nothing; 0: any, see the log.",
    )
    ingester_metrics_host: str = Field(
        default="127.0.0.1", description="Where it listens; 0.0.0.0 inside a container."
    )
    ingester_stall_seconds: Annotated[float, Field(gt=0)] = Field(
        default=120.0,
        description="Lag without progress for so long: the partition is read anew from the store.",
    )
    ingester_allow_plaintext: bool = Field(
        default=False,
        description="Let Kafka and PostgreSQL be reached without TLS on other machines.",
    )
    ingester_dashboard_port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        default=8090, description="0: any free port, see the log."
    )
    ingester_dashboard_host: str = Field(
        default="127.0.0.1",
        description="Elsewhere than on the loopback only with a token or a proxy's header.",
    )
    ingester_dashboard_token: SecretStr | None = Field(
        default=None, description="Bearer token that opens page and API; at least 16 characters."
    )
    ingester_dashboard_proxy_header: str | None = Field(
        default=None, description="Header in which a reverse proxy names the user it let in."
    )
    ingester_dashboard_proxy_peers: str = Field(
        default="127.0.0.0/8,::1",
        description="Networks whose word on that and X-Forwarded-Proto is taken; commas between.",
    )
    ingester_dashboard_statement_seconds_max: Annotated[float, Field(gt=0)] = Field(
        default=5.0, description="statement_timeout of everything the dashboard asks."
    )
    ingester_dashboard_connections_max: Annotated[int, Field(ge=1, le=1_000)] = Field(
        default=8, description="Connections to PostgreSQL for answers; two more watch."
    )
    ingester_dashboard_live_max: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=100, description="Pages that are told of refreshes at the same time."
    )
    ingester_log_level: Literal["debug", "info", "warning", "error"] = "info"
    ingester_log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="auto: console on a terminal, else JSON lines."
    )

    @field_validator("kafka_conf")
    @classmethod
    def _only_harmless(cls, conf: dict[str, str]) -> dict[str, str]:
        properties = {name.lower().replace("_", "."): value for name, value in conf.items()}
        for name, why in _REFUSED_KAFKA_CONF.items():
            if name in properties:
                raise ValueError(f"{name} cannot be set: {why}")
        for name, value in _FIXED_KAFKA_CONF.items():
            if properties.get(name, value).lower() != value:
                raise ValueError(f"{name} must stay {value}: else anybody may pose as the broker")
        return properties

    @model_validator(mode="after")
    def _sasl_is_complete(self) -> Self:
        if self.kafka_security_protocol.startswith("SASL") and not self.kafka_sasl_mechanism:
            raise ValueError("KAFKA_SASL_MECHANISM is needed with a SASL security protocol")
        return self

    @model_validator(mode="after")
    def _kafka_is_encrypted(self) -> Self:
        plain = not self.kafka_security_protocol.endswith("SSL")
        if plain and not self.ingester_allow_plaintext:
            for server in self.kafka_bootstrap_servers.split(","):
                if not is_loopback(_host_of(server.strip())):
                    raise ValueError(
                        f"KAFKA_SECURITY_PROTOCOL={self.kafka_security_protocol} would send "
                        f"everything in plain text to {server.strip()}; use SSL or SASL_SSL, or "
                        "set INGESTER_ALLOW_PLAINTEXT=true where the network is trusted"
                    )
        return self

    @model_validator(mode="after")
    def _dead_letters_go_elsewhere(self) -> Self:
        if self.ingester_dead_letter_topic == self.kafka_topic:
            raise ValueError("INGESTER_DEAD_LETTER_TOPIC must not be KAFKA_TOPIC: it never ends")
        return self

    @field_validator("ingester_dashboard_token")
    @classmethod
    def _not_guessed(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token.get_secret_value()) < _TOKEN_CHARACTERS_MIN:
            raise ValueError(f"needs at least {_TOKEN_CHARACTERS_MIN} characters")
        return token

    @field_validator("ingester_dashboard_proxy_peers")
    @classmethod
    def _are_networks(cls, peers: str) -> str:
        for peer in filter(None, peers.split(",")):
            ipaddress.ip_network(peer.strip())
        return peers

    @model_validator(mode="after")
    def _dashboard_is_closed(self) -> Self:
        has_access = self.ingester_dashboard_token or self.ingester_dashboard_proxy_header
        if not is_loopback(self.ingester_dashboard_host) and not has_access:
            raise ValueError(
                f"INGESTER_DASHBOARD_HOST={self.ingester_dashboard_host} would show the statistics "
                "to everybody who can reach it; set INGESTER_DASHBOARD_TOKEN, or "
                "INGESTER_DASHBOARD_PROXY_HEADER behind a proxy that asks for a login"
            )
        return self

    @property
    def window_back(self) -> timedelta:
        """How far in the past an event may lie."""
        return timedelta(days=self.ingester_window_days_back)

    @property
    def window_ahead(self) -> timedelta:
        """How far in the future an event may lie."""
        return timedelta(days=self.ingester_window_days_ahead)

    @classmethod
    def settings_customise_sources(  # noqa: D102 - pydantic-settings' hook
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - its shape is given
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, _SecretFiles(settings_cls), dotenv_settings)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name: nothing is looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def _host_of(server: str) -> str:
    """The host of `host:port`, `[::1]:port` or `PROTOCOL://host:port`."""
    address = server.rpartition("://")[2]
    return address[1:].partition("]")[0] if address[:1] == "[" else address.partition(":")[0]


class _SecretFiles(PydanticBaseSettingsSource):
    """Reads `NAME_FILE` for each secret, as container platforms mount them."""

    def get_field_value(
        self,
        field: FieldInfo,  # noqa: ARG002 - its shape is given
        field_name: str,
    ) -> tuple[Any, str, bool]:
        path = os.environ.get(f"{field_name.upper()}_FILE")
        if field_name not in _SECRETS or path is None:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except OSError as error:
            raise SettingsError(f"{field_name.upper()}_FILE: {error.strerror}: {path}") from None
        except UnicodeDecodeError:
            raise SettingsError(f"{field_name.upper()}_FILE: is not UTF-8 text: {path}") from None

    def __call__(self) -> dict[str, Any]:
        found = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in found.items() if value is not None}


def load_settings(**flags: Any) -> Settings:
    """Read the settings; flags that are None count as not given.

    Raises SettingsError in one line that names the variable and what is wrong with it.
    """
    return read_settings(Settings, "INGESTER_", **flags)


Model = TypeVar("Model", bound=BaseSettings)


def read_settings(model: type[Model], prefix: str, **flags: Any) -> Model:
    """The same for a model of another program, which owns the names with `prefix`."""
    env_file = Path(".env")
    environment = {**dotenv_values(env_file), **os.environ} if env_file.is_file() else os.environ
    names = [*model.model_fields, *(f"{secret}_file" for secret in _SECRETS)]
    _refuse_unknown(environment, prefix, {name.upper() for name in names})
    try:
        return model(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        name = "__".join(str(part) for part in fault["loc"]).upper() or "settings"
        raise SettingsError(f"{name}: {fault['msg']}") from None
    except UnreadableSettings as error:  # a dictionary that is no JSON
        raise SettingsError(str(error)) from None


def _refuse_unknown(environment: Mapping[str, object], prefix: str, known: set[str]) -> None:
    for name in environment:
        if name.upper().startswith(prefix) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SettingsError(f"{name}: no such setting{hint}")
