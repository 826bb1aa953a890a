"""The settings of `replay`: how the legacy table looks, and how fast it may be replayed.

Connections are those of `ingester.settings`. Order of precedence is the same: flag, environment,
`.env`, default; a misspelt `REPLAY_…` name is an error with a hint. Units stand in the names.
"""

from typing import Annotated, Any

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from ingester.settings import read_settings

Name = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[^\x00]+$")]
"""An identifier of PostgreSQL, unquoted: it is quoted wherever it is used."""


class ReplaySettings(BaseSettings):
    """The effective settings; see `docs/operations.md` for when to change which."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, allow_inf_nan=False
    )

    replay_legacy_table: Name = Field(
        default="campaign_daily_stat_entries",
        description="The old table, found through the connection's search_path.",
    )
    replay_column_id: Name = "id"
    replay_column_admin_uuid: Name = "admin_uuid"
    replay_column_campaign_id: Name = "campaign_id"
    replay_column_campaign_id_int: Name = "campaign_id_int"
    replay_column_stat_date: Name = "stat_date"
    replay_column_sent: Name = "sent"
    replay_column_opened: Name = "opened"
    replay_column_clicked: Name = "clicked"
    replay_column_replied: Name = "replied"
    replay_column_positive_replies: Name = "positive_replies"
    replay_column_bounced: Name = "bounced"
    replay_column_created_at: Name = "created_at"
    replay_column_updated_at: Name = "updated_at"

    replay_rate_per_second: Annotated[float, Field(ge=1)] | None = Field(
        default=None, description="Events published a second; unset is as fast as it goes."
    )
    replay_lag_events_max: Annotated[int, Field(ge=0)] = Field(
        default=50_000, description="Pause while the consumers are further behind than this."
    )
    replay_stall_seconds_max: Annotated[float, Field(gt=0)] = Field(
        default=600.0,
        description="Give up (exit 75) where paused consumers have not moved for this long.",
    )
    replay_range_events: Annotated[int, Field(ge=1)] = Field(
        default=20_000, description="Events of one ledger range, in whole days."
    )
    replay_read_rows: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=2_000, description="Rows fetched from the old table at a time."
    )
    replay_waiting_days: Annotated[int, Field(ge=0)] = Field(
        default=7, description="Days between the cutover and the earliest drop of the old table."
    )

    replay_swap_lock_seconds: Annotated[float, Field(gt=0, le=10)] = Field(
        default=0.05,
        description="How long one attempt of cutover or rollback may make readers wait.",
    )
    replay_swap_seconds_max: Annotated[float, Field(gt=0)] = Field(
        default=60.0, description="How long to go on trying before giving up (exit 75)."
    )

    def columns(self) -> dict[str, str]:
        """The old table's column for each of ours, such as `stat_date`."""
        prefix = "replay_column_"
        return {
            name.removeprefix(prefix): getattr(self, name)
            for name in type(self).model_fields
            if name.startswith(prefix)
        }


def load_replay_settings(**flags: Any) -> ReplaySettings:
    """Read the settings; flags that are None count as not given. Raises SettingsError."""
    return read_settings(ReplaySettings, "REPLAY_", **flags)
