"""`ingester config` tells every setting and where it comes from, and no secret."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ingester.commands.config import MASK, config
from ingester.settings import Settings

CANARY = "canary-33aa"


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting from outside, and a folder without a .env."""
    fields = {field.upper() for field in Settings.model_fields}
    for name in os.environ:
        if name.upper().removesuffix("_FILE") in fields:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    config(as_json=True)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_every_setting_is_there_with_its_origin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKA_TOPIC", "mine")
    monkeypatch.setenv("KAFKA_CONF__fetch_min_bytes", "7")
    Path("secret").write_text(CANARY, encoding="utf-8")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD_FILE", "secret")
    Path(".env").write_text("KAFKA_TOPIC=other\nKAFKA_GROUP_ID=group\n", encoding="utf-8")

    found = told(capsys)

    assert found.keys() == {name.upper() for name in Settings.model_fields}
    assert found["KAFKA_TOPIC"] == {"value": "mine", "origin": "environment"}
    assert found["KAFKA_GROUP_ID"] == {"value": "group", "origin": ".env"}
    assert found["KAFKA_CONF"] == {"value": {"fetch.min.bytes": "7"}, "origin": "environment"}
    assert found["KAFKA_SASL_PASSWORD"] == {
        "value": MASK,
        "origin": "file of KAFKA_SASL_PASSWORD_FILE",
    }
    assert found["INGESTER_BATCH_ROWS_MAX"] == {"value": 40_000, "origin": "default"}
    assert found["DATABASE_URL"] == {"value": None, "origin": "default"}


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://user:{CANARY}@127.0.0.1:5432/db?sslpassword={CANARY}",
        f"host=127.0.0.1 dbname=db user=user password={CANARY}",
        f"{CANARY} {CANARY}",
    ],
)
@pytest.mark.parametrize("as_json", [True, False])
def test_no_secret_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, as_json: bool
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("KAFKA_SSL_KEY_PASSWORD", CANARY)
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", CANARY)
    for name in ("ssl_key_pem", "sasl_oauthbearer_config", "ssl_keystore_password"):
        monkeypatch.setenv(f"KAFKA_CONF__{name}", CANARY)
    config(as_json=as_json)
    out = capsys.readouterr().out
    assert CANARY not in out
    assert MASK in out
    if "127.0.0.1" in url:
        assert "host=127.0.0.1" in out
