"""What slices of the soak come to together: one verdict, one table."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

WANTED_MINUTES: Final = 120.0
_COLUMNS: Final = (
    *("at", "minutes", "records a second", "records", "faults", "process"),
    *("RSS", "slope", "descriptors"),
)


def verdict(slices: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What slices of the same sources come to."""
    judged = [each for each in slices if each["judged"]]
    minutes = sum(each["minutes"] for each in judged)
    names = dict.fromkeys(name for each in judged for name in each["processes"])
    return {
        "ok": all(each["ok"] for each in slices),
        "minutes_judged": minutes,
        "minutes_wanted": WANTED_MINUTES,
        "slices": len(judged),
        "records": sum(each["records"] for each in slices),
        "faults": sum(each["faults"] for each in slices),
        "worst_slope_percent_an_hour": {
            name: max(each["processes"][name]["slope_percent_an_hour"] for each in judged)
            for name in names
        },
    }


def exit_code(found: Mapping[str, Any]) -> int:
    """3 where something grew or differs, 75 while too few minutes have been judged."""
    if not found["ok"]:
        return 3
    return 0 if found["minutes_judged"] >= found["minutes_wanted"] else 75


def markdown(slices: Sequence[Mapping[str, Any]]) -> str:
    """The table for the docs."""
    found = verdict(slices)
    rows = [
        f"| {' | '.join(_COLUMNS)} |\n",
        f"|{'---|' * len(_COLUMNS)}\n",
    ]
    for each in slices:
        for name, one in each["processes"].items():
            told = "" if each["judged"] else " (too short to judge)"
            rows.append(
                f"| {each['at']} | {each['minutes']:.0f} | {each['rate']:,} | "
                f"{each['records']:,} | {each['faults']} | {name} | {one['rss_mib']} MiB | "
                f"{one['slope_percent_an_hour']:+.2f} %/h{told} | "
                f"{one['descriptors'][0]} → {one['descriptors'][1]} |\n"
            )
    worst = ", ".join(
        f"{name} {slope:+.2f} %/h" for name, slope in found["worst_slope_percent_an_hour"].items()
    )
    word = {0: "met", 3: "missed", 75: "not reached yet"}[exit_code(found)]
    rows.append(
        f"\n{found['minutes_judged']:.0f} of {WANTED_MINUTES:.0f} minutes judged: {word}. "
        f"Worst slope: {worst or 'none'}.\n"
    )
    return "".join(rows)
