"""Dates on the command line."""

from datetime import date

import typer


def parse_date(text: str | date) -> date:
    """Read YYYY-MM-DD."""
    if isinstance(text, date):
        return text
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date like 2026-01-31") from None
