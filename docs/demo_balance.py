"""The demo's table: what was published against what became of it, from three JSON answers.

`demo_balance.py published.json before.json after.json`: the answer of `ingester simulate --json`,
and of `ingester status --json` before and after. Exits with 3 where they do not agree.
"""

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

# The publisher's name of an outcome, and the ingester's.
OUTCOMES = {
    "published": "records",
    "unique": "inserted",
    "duplicates": "duplicates",
    "rejected": "rejected",
}


def main(published: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> int:
    """Print the table. Returns the exit code of DESIGN.md."""
    table = Table("", "published", "stored", "", title_justify="left")
    for column in table.columns[1:3]:
        column.justify = "right"
    agree = True
    for sent, stored in OUTCOMES.items():
        count = after["totals"][stored] - before["totals"][stored]
        same = count == published[sent]
        agree &= same
        table.add_row(stored, f"{published[sent]:,}", f"{count:,}", "✓" if same else "✗")
    Console().print(table)
    return 0 if agree else 3


if __name__ == "__main__":
    sys.exit(main(*(json.loads(Path(path).read_text()) for path in sys.argv[1:])))
