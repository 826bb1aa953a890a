"""The cut: days before it come from the old table, days from it on from live producers; pure."""

from datetime import date

from ingester.errors import UsageError


def cut_of(wanted: date | None, stored: date | None, today: date) -> date:
    """The cut of a run: the stored one, else the wanted one, else today.

    Raises UsageError where the two differ, since a second cut would replay days twice or never, and
    for a cut in the future, whose days are still changing.
    """
    if stored is not None:
        if wanted not in {None, stored}:
            raise UsageError(
                f"--until {wanted}: this replay was cut at {stored} by its first run, "
                "and keeps that cut"
            )
        return stored
    if wanted is not None and wanted > today:
        raise UsageError(f"--until {wanted} lies in the future: its days are still changing")
    return wanted or today
