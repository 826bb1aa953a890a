"""Settings: where each comes from, what is refused, and that no secret is ever shown."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from ingester.errors import SettingsError
from ingester.settings import Settings, load_settings
from ingester.store.connection import connect

CANARY = "canary-7f3a-9c41-b2e8"


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting from outside, and a folder without a .env."""
    for name in os.environ:
        if name.upper().removesuffix("_FILE") in {field.upper() for field in Settings.model_fields}:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_defaults_are_complete() -> None:
    settings = load_settings()
    assert settings.kafka_topic == "campaign-events"
    assert settings.database_url is None
    assert settings.window_back.days == 3_653
    assert settings.window_ahead.days == 1


def test_a_flag_goes_before_the_environment_before_the_file_before_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_settings().kafka_group_id == "campaign-ingester"
    Path(".env").write_text("KAFKA_GROUP_ID=of-the-file\n", encoding="utf-8")
    assert load_settings().kafka_group_id == "of-the-file"
    monkeypatch.setenv("KAFKA_GROUP_ID", "of-the-environment")
    assert load_settings().kafka_group_id == "of-the-environment"
    assert load_settings(kafka_group_id="of-the-flag").kafka_group_id == "of-the-flag"
    assert load_settings(kafka_group_id=None).kafka_group_id == "of-the-environment"


def test_names_may_be_written_in_lower_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ingester_batch_rows_max", "7")
    assert load_settings().ingester_batch_rows_max == 7


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        load_settings().kafka_topic = "another"  # type: ignore[misc]  # which is the point


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("INGESTER_BATCH_ROW_MAX", "INGESTER_BATCH_ROWS_MAX"),
        ("INGESTER_STOP_SECONDS", "INGESTER_STOP_SECONDS_MAX"),
        ("ingester_log_levle", "INGESTER_LOG_LEVEL"),
    ],
)
def test_an_unknown_name_of_ours_is_refused_with_a_hint(
    name: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(SettingsError, match=f"{name}: no such setting; did you mean {hint}"):
        load_settings()


def test_an_unknown_name_in_the_file_is_refused_too() -> None:
    Path(".env").write_text("INGESTER_BATCH_ROW_MAX=5\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="INGESTER_BATCH_ROWS_MAX"):
        load_settings()


def test_names_that_are_not_ours_are_nobodys_business(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_HEAP_OPTS", "-Xmx1g")
    monkeypatch.setenv("INGESTERS", "1")
    load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INGESTER_BATCH_ROWS_MAX", "0"),
        ("INGESTER_BATCH_ROWS_MAX", CANARY),
        ("INGESTER_BATCH_AGE_SECONDS_MAX", "-1"),
        ("INGESTER_STATEMENT_SECONDS_MAX", "inf"),
        ("INGESTER_TAKEOVER_SECONDS", "nan"),
        ("INGESTER_BREAKER_REFUSED_SHARE", "1.1"),
        ("INGESTER_STOP_SECONDS_MAX", "10"),
        ("INGESTER_LOG_LEVEL", CANARY),
        ("KAFKA_SECURITY_PROTOCOL", CANARY),
        ("KAFKA_CONF", "{" + CANARY),
        ("KAFKA_CONF", f'["{CANARY}"]'),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_setting_and_not_the_value(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"(?i){name}") as refused:
        load_settings()
    assert "\n" not in str(refused.value)
    assert CANARY not in str(refused.value)
    assert refused.value.exit_code == 78


@pytest.mark.parametrize(
    "name",
    [
        "enable.auto.commit",
        "auto.commit.enable",
        "enable.auto.offset.store",
        "auto.offset.reset",
        "isolation.level",
        "enable.partition.eof",
        "partition.assignment.strategy",
        "enable.idempotence",
        "acks",
        "request.required.acks",
        "bootstrap.servers",
        "metadata.broker.list",
        "group.id",
        "group.instance.id",
        "sasl.password",
        "ssl.key.password",
    ],
)
def test_a_property_that_would_void_the_guarantee_is_refused_by_name(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spellings = {
        f"KAFKA_CONF__{name.replace('.', '_')}": CANARY,
        f"KAFKA_CONF__{name.upper()}": CANARY,
        "KAFKA_CONF": f'{{"{name}": "{CANARY}"}}',
    }
    for variable, value in spellings.items():
        with monkeypatch.context() as context:
            context.setenv(variable, value)
            with pytest.raises(SettingsError, match=f"{name} cannot be set") as refused:
                load_settings()
            assert CANARY not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("enable.ssl.certificate.verification", "false", "true"),
        ("enable.ssl.certificate.verification", "0", "TRUE"),
        ("ssl.endpoint.identification.algorithm", "none", "https"),
        ("ssl.endpoint.identification.algorithm", "", "HTTPS"),
    ],
)
def test_a_property_may_not_switch_off_that_a_broker_proves_who_it_is(
    name: str, value: str, allowed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = f"KAFKA_CONF__{name.replace('.', '_')}"
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=f"{name} must stay ") as refused:
        load_settings()
    assert refused.value.exit_code == 78
    monkeypatch.setenv(variable, allowed)
    assert load_settings().kafka_conf == {name: allowed}


def test_any_other_property_reaches_librdkafka_under_its_own_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KAFKA_CONF__fetch_min_bytes", "1000")
    monkeypatch.setenv("KAFKA_CONF__SESSION_TIMEOUT_MS", "6000")
    conf = load_settings().kafka_conf
    assert conf == {"fetch.min.bytes": "1000", "session.timeout.ms": "6000"}


def test_sasl_needs_its_mechanism(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    with pytest.raises(SettingsError, match="KAFKA_SASL_MECHANISM"):
        load_settings()
    monkeypatch.setenv("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512")
    assert load_settings().kafka_sasl_mechanism == "SCRAM-SHA-512"


# -- secrets

SECRETS = [
    *("DATABASE_URL", "KAFKA_SASL_PASSWORD", "KAFKA_SSL_KEY_PASSWORD"),
    "INGESTER_DASHBOARD_TOKEN",
]


def revealed(settings: Settings, name: str) -> str:
    secret = getattr(settings, name.lower())
    return str(secret.get_secret_value())


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_may_come_from_a_file(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{CANARY}\n", encoding="utf-8")
    monkeypatch.setenv(f"{name}_FILE", str(path))
    assert revealed(load_settings(), name) == CANARY
    Path(".env").write_text(f"{name}=of-dot-env-itself\n", encoding="utf-8")
    assert revealed(load_settings(), name) == CANARY, "the environment goes before .env"
    monkeypatch.setenv(name, "the-value-itself")
    assert revealed(load_settings(), name) == "the-value-itself"


def test_what_is_no_secret_comes_from_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KAFKA_TOPIC_FILE", str(tmp_path))
    assert load_settings().kafka_topic == "campaign-events"


@pytest.mark.parametrize(
    ("content", "complaint"), [(None, "No such file"), (b"\xff" + CANARY.encode(), "UTF-8")]
)
def test_a_secret_that_cannot_be_read_is_told_by_its_path(
    content: bytes | None, complaint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("DATABASE_URL_FILE", str(path))
    with pytest.raises(SettingsError, match=f"DATABASE_URL_FILE: .*{complaint}") as refused:
        load_settings()
    assert str(path) in str(refused.value)
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize("name", [*SECRETS, "KAFKA_CONF__sasl_oauthbearer_client_secret"])
def test_a_secret_is_never_shown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, CANARY)
    settings = load_settings()
    for shown in (repr(settings), str(settings), f"{settings}", f"{settings!r}"):
        assert CANARY not in shown
    if name in SECRETS:
        assert CANARY not in settings.model_dump_json()


def test_a_secret_does_not_leave_with_a_complaint_about_something_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", CANARY)
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", CANARY)
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    chain = [refused.value, refused.value.__cause__]
    assert not any(CANARY in repr(error) for error in chain)
    assert refused.value.__suppress_context__, "pydantic's error quotes the input"


@pytest.mark.parametrize(
    "servers",
    ["localhost:9092", "127.0.0.1:1,127.8.9.10:2", "[::1]:9092", "PLAINTEXT://LOCALHOST:9092"],
)
def test_plain_text_is_fine_on_this_machine(servers: str) -> None:
    load_settings(kafka_bootstrap_servers=servers)


@pytest.mark.parametrize(
    "servers",
    ["kafka:9092", "127.0.0.1:1,10.0.0.1:2", "[::2]:9092", "localhost.example.org:1",
     "PLAINTEXT://b1.example.org:9092"],
)  # fmt: skip
@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT"])
def test_plain_text_to_another_machine_needs_a_setting(servers: str, protocol: str) -> None:
    given = {
        "kafka_bootstrap_servers": servers,
        "kafka_security_protocol": protocol,
        "kafka_sasl_mechanism": "PLAIN",
    }
    with pytest.raises(SettingsError, match="INGESTER_ALLOW_PLAINTEXT"):
        load_settings(**given)
    load_settings(**given, ingester_allow_plaintext=True)
    load_settings(**given | {"kafka_security_protocol": protocol.replace("PLAINTEXT", "SSL")[-8:]})


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("postgresql://127.0.0.1/db", True),
        ("postgresql:///db", True),
        ("host=/run/postgresql", True),
        ("postgresql://db.example.org/db", False),
        ("postgresql://127.0.0.1,db.example.org/db", False),
        ("postgresql://db.example.org/db?sslmode=prefer", False),
        ("host=127.0.0.1 hostaddr=10.0.0.1", False),
        ("postgresql://db.example.org/db?sslmode=verify-full", True),
        ("postgresql://db.example.org/db?sslmode=require", True),
    ],
)
def test_a_database_elsewhere_is_not_asked_in_plain_text(
    url: str, allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def nobody(**parameters: object) -> None:
        asked.append(parameters)
        raise InterruptedError

    monkeypatch.setattr("psycopg.connect", nobody)
    settings = load_settings(database_url=url)
    with pytest.raises(InterruptedError if allowed else SettingsError):
        connect(settings, "test")
    assert bool(asked) is allowed
    with pytest.raises(InterruptedError):
        connect(load_settings(database_url=url, ingester_allow_plaintext=True), "test")
