"""The old table, as far as its shape goes: where it is, which columns it has, and of which types.

It stays free of SQL and of connections: `replay.store.legacy` looks it up and reads it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ingester.errors import NeedsAPerson
from replay.expand import METRICS

REQUIRED: Final = ("id", "campaign_id", "stat_date")
_WHOLE: Final = ("smallint", "integer", "bigint")
_TEXT: Final = ("text", "character varying", "character", "uuid", "smallint", "integer", "bigint")


@dataclass(frozen=True, slots=True)
class LegacyTable:
    """The old table as it was found.

    `columns` names its column for each of ours, or None where it has none; `types` are
    PostgreSQL's names of their types, without length, by our names.
    """

    schema: str
    name: str
    columns: Mapping[str, str | None]
    types: Mapping[str, str]

    @property
    def missing_metrics(self) -> list[str]:
        """Metrics without a column: they count as zero."""
        return [metric for metric in METRICS if self.columns[metric] is None]


def check_shape(table: LegacyTable) -> None:
    """Refuse a table whose rows cannot become events, before anything is read.

    Values are never rounded and times never cut to days on the way: such columns are refused.
    """
    missing = [name for name in REQUIRED if table.columns[name] is None]
    if missing:
        settings = ", ".join(f"REPLAY_COLUMN_{name.upper()}" for name in missing)
        raise NeedsAPerson(f"{table.name} has no column {', '.join(missing)}; see {settings}")
    if len(table.missing_metrics) == len(METRICS):
        raise NeedsAPerson(f"{table.name} has no column for any metric; see REPLAY_COLUMN_SENT …")
    allowed = {
        **dict.fromkeys(("id", "campaign_id"), _TEXT),
        "stat_date": ("date",),
        **dict.fromkeys(METRICS, _WHOLE),
    }
    for name, types in allowed.items():
        if name in table.types and table.types[name] not in types:
            raise NeedsAPerson(
                f"{table.name}.{table.columns[name]} is of type {table.types[name]}, "
                f"not {' or '.join(types)}"
            )
