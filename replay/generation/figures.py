"""What the legacy table holds, in exact numbers, at any scale."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts of rows and values, and totals of metrics; the defaults are the legacy system's.

    The headline metrics are all but clicks. The two published counts of rows with a value differ by
    23: read here as rows with clicks only. How many values each metric has was not published;
    `sent_values`, `replied_values` and `positive_values` are chosen, opens have the rest.
    """

    rows: int = 2_598_451
    headline_rows: int = 172_328
    clicks_only_rows: int = 23
    headline_values: int = 308_693
    sent: int = 13_366_393
    opened: int = 2_122_348
    replied: int = 134_823
    positive_replies: int = 924
    campaigns: int = 3_200
    admins: int = 400
    sent_values: int = 125_000
    replied_values: int = 55_000
    positive_values: int = 860

    @property
    def opened_values(self) -> int:
        """Rows with opens."""
        return self.headline_values - self.sent_values - self.replied_values - self.positive_values

    @property
    def zero_rows(self) -> int:
        """Rows without any value."""
        return self.rows - self.headline_rows - self.clicks_only_rows

    @classmethod
    def scaled(cls, scale: float) -> Self:
        """The same proportions; nothing vanishes, however small the scale."""
        whole = cls()
        return cls(
            **{
                name: max(round(getattr(whole, name) * scale), 1)
                for name in cls.__dataclass_fields__
            }
        )
