"""The settings of `replay`: the contract's names by default, nothing misspelt goes unnoticed."""

import os
from pathlib import Path

import pytest

from ingester.errors import SettingsError
from replay.settings import load_replay_settings


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting from outside, and a folder without a .env."""
    for name in os.environ:
        if name.upper().startswith("REPLAY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_old_table_has_its_own_names_by_default() -> None:
    settings = load_replay_settings()
    assert settings.replay_legacy_table == "campaign_daily_stat_entries"
    assert all(ours == theirs for ours, theirs in settings.columns().items())


def test_columns_can_be_called_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLAY_COLUMN_POSITIVE_REPLIES", 'good "answers"')
    assert load_replay_settings().columns()["positive_replies"] == 'good "answers"'


def test_an_unknown_name_is_refused_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPLAY_COLUMN_POSITIVE_REPLY", "x")
    with pytest.raises(SettingsError, match="did you mean REPLAY_COLUMN_POSITIVE_REPLIES"):
        load_replay_settings()


@pytest.mark.parametrize(
    ("name", "value"), [("REPLAY_RATE_PER_SECOND", "0"), ("REPLAY_LEGACY_TABLE", "")]
)
def test_what_makes_no_sense_is_refused_by_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        load_replay_settings()
