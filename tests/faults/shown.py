"""A report as a table: for people, and for docs/reliability.md."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from tests.faults.report import Report


def table(report: Report) -> Table:
    """For people."""
    table = Table(title=f"faults, commit {report.commit}", title_justify="left")
    names = ("kind", "faults", "wanted", "records", "missing", "invented", "bad rounds")
    for name in (*names, "p50 / p95", "p95 promised"):
        table.add_column(name, justify="left" if name == "kind" else "right")
    for kind, total in report.totals().items():
        counts = ("faults", "wanted", "records", "missing", "invented", "bad_rounds")
        table.add_row(
            kind, *(f"{total[name]:,}" for name in counts), _recovery(total), _promise(total)
        )
    table.caption, table.caption_justify = "\n".join(_remarks(report)), "left"
    return table


def markdown(report: Report) -> str:
    """The same as the table of docs/reliability.md, with what it stands for."""
    ours = [each for each in report.rounds if each.get("sources") == report.sources]
    days = sorted({each["at"][:10] for each in ours})
    seeds = [each["seed"] for each in ours]
    commits = ", ".join(sorted({each["commit"] for each in ours}))
    columns = ("fault", "faults", "wanted", "records", "missing", "invented", "bad rounds")
    rows = [
        (
            f"Commits {commits} (sources {report.sources}); {', '.join(days)}; "
            f"seeds {min(seeds, default=0)} to {max(seeds, default=0)}.\n\n"
            f"| {' | '.join(columns)} | recovery p50 / p95 | p95 promised | minutes |\n"
            f"|{'---|' * (len(columns) + 3)}\n"
        )
    ]
    for kind, total in report.totals().items():
        rows.append(
            f"| {kind} | {total['faults']:,} | {total['wanted']:,} | {total['records']:,} | "
            f"{total['missing']} | {total['invented']} | {total['bad_rounds']} | "
            f"{_recovery(total)} | {_promise(total)} | {total['minutes']:.0f} |\n"
        )
    return "".join([*rows, *(f"\n{remark}\n" for remark in _remarks(report))])


def _remarks(report: Report) -> list[str]:
    """What was left out, who died where, and what was not seen."""
    remarks = [f"{kind}: left out, {missing}." for kind, missing in report.left_out.items()]
    for kind, total in report.totals().items():
        stages = [
            f"{what.removeprefix('at ')} {times}"
            for what, times in sorted(total["notes"].items())
            if what.startswith("at ")
        ]
        if stages:
            remarks.append(f"{kind}, by stage: {', '.join(stages)}.")
        if total["unseen"]:
            remarks.append(f"{kind}, never seen: {', '.join(total['unseen'])}.")
    return remarks


def _recovery(total: Mapping[str, Any]) -> str:
    """What it took, p50 and p95."""
    return " / ".join(f"{total[name]:.1f} s" for name in ("p50", "p95") if total[name])


def _promise(total: Mapping[str, Any]) -> str:
    """The recovery promised, and whether it was kept."""
    if total["p95_max"] is None:
        return ""
    verdict = {True: "met", False: "missed", None: "not measured"}[total["p95_met"]]
    return f"{total['p95_max']:.0f} s: {verdict}"
