"""What a simulation is asked for, as exact numbers that add up."""

from dataclasses import dataclass
from typing import Final

from ingester.errors import UsageError

SECOND_US: Final = 1_000_000
DAY_US: Final = 86_400 * SECOND_US

CONFLICTING_SHARE: Final = 0.05
"""Of the duplicates: these repeat an event's identity with another count."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A simulation: equal plans give equal bytes, plans that differ share no event.

    `records` is the number published in all; of these round(records * duplicate_share) repeat an
    earlier one and round(records * invalid_share) are invalid. What happened lies in the `days`
    days before `until_us`. Raises UsageError where the numbers leave nothing to repeat.
    """

    records: int
    duplicate_share: float
    invalid_share: float
    campaigns: int
    days: int
    until_us: int
    seed: int

    def __post_init__(self) -> None:
        """Refuse what cannot be published."""
        if min(self.records, self.campaigns, self.days) < 1 or self.seed < 0:
            raise UsageError("events, campaigns and days start at 1, a seed at 0")
        if not (0 <= self.duplicate_share <= 1 and 0 <= self.invalid_share <= 1):
            raise UsageError("the shares of duplicates and of invalid records lie between 0 and 1")
        if self.valid < 0:
            raise UsageError(
                f"{self.duplicates} duplicates and {self.invalid} invalid records do not fit into "
                f"{self.records} records"
            )
        if self.duplicates and not self.valid:
            raise UsageError(f"no valid event is left for {self.duplicates} duplicates to repeat")

    @property
    def duplicates(self) -> int:
        """Records that repeat an earlier event, the conflicting ones included."""
        return round(self.records * self.duplicate_share)

    @property
    def conflicting(self) -> int:
        """Duplicates whose count differs from the first."""
        return round(self.duplicates * CONFLICTING_SHARE)

    @property
    def invalid(self) -> int:
        """Records that must be rejected."""
        return round(self.records * self.invalid_share)

    @property
    def valid(self) -> int:
        """Valid events, each once."""
        return self.records - self.duplicates - self.invalid

    @property
    def from_us(self) -> int:
        """No valid event happens before this."""
        return self.until_us - self.days * DAY_US
