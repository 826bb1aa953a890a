"""What docs/performance.md says of each bench: from its JSON to Markdown tables and SVG charts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bench.chart import Bar, bars, lines

Results = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """Its tables as Markdown, and charts by the name of their file."""

    tables: Sequence[str]
    charts: Mapping[str, str] = field(default_factory=dict)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines_of = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines_of)


def _contest(name: str, title: str) -> Callable[[Results], Section]:
    """Sides that took turns; see `bench.contest`."""

    def section(results: Results) -> Section:
        sides = {
            side: each
            for side, each in results.items()
            if isinstance(each, dict) and "events_per_second" in each
        }
        columns = ["", "events per second", "ratio", "worker CPU, µs", "PostgreSQL CPU, µs", "MiB"]
        rows = [
            [
                side,
                _spread(each, "events_per_second", 0),
                _spread(each, "ratio_to_yardstick", 2),
                _median(each, "worker_cpu_us_per_event", 2),
                _median(each, "postgres_cpu_us_per_event", 2),
                _median(each, "rss_peak_mib", 0),
            ]
            for side, each in sides.items()
        ]
        bars_of = [
            Bar(side, rate["median"], rate["min"], rate["max"], bool(each["runs"]))
            for side, each in sides.items()
            for rate in [each["events_per_second"]]
        ]
        told = [table(columns, rows)]
        if "fastest_peer" in results:
            times, fastest = results["ratio_to_fastest_peer"], results["fastest_peer"]
            told.append(f"One worker of ours: **{times:.1f} times** the fastest peer, {fastest}.")
            told += [f"{who} cannot: {what}." for who, what in results["cannot"].items()]
        return Section(told, {name: bars(title, bars_of, 0)})

    return section


def _stages(results: Results) -> Section:
    columns = ["processor time per event, µs", "ingester", "PostgreSQL"]
    tables, charts = [], {}
    for traffic, stages in results.items():
        rows, bars_of = [], []
        for stage, sides in stages.items():
            own, server = (sides[side] for side in ("ingester_us", "postgresql_us"))
            if stage == "sum":
                rows.append(["**all stages**", f"{own:.2f}", f"{server:.2f}"])
                continue
            rows.append([stage, f"{own['median']:.2f}", f"{server['median']:.2f}"])
            for who, spread in (("ingester", own), ("PostgreSQL", server)):
                if round(spread["median"], 2):
                    low, high = spread["min"], spread["max"]
                    ours = not stage.startswith("floor")
                    bars_of.append(Bar(f"{stage}, {who}", spread["median"], low, high, ours))
        tables.append(f"{traffic}:\n\n" + table(columns, rows))
        name = f"stages-{traffic.split()[0]}"
        charts[name] = bars(f"processor time per event, µs: {traffic}", bars_of, 2)
    return Section(tables, charts)


def _refresh(results: Results) -> Section:
    rows = []
    for circumstance, each in results["circumstances"].items():
        cells = [_spread(each[size], "fold_seconds", 4) for size in each if size != "ratio"]
        rows.append([circumstance, *cells, f"{each['ratio']:.2f}"])
    sizes = list(results["tables"])
    return Section([table(["seconds for 10,000 new events", *sizes, "ratio"], rows)])


def _refresh_views(results: Results) -> Section:
    names = ("fold_seconds", "refresh_concurrently_seconds", "ratio")
    rows = [
        [population, *(_spread(each, name, 3) for name in names)]
        for population, each in results["populations"].items()
    ]
    return Section([table(["", *(name.replace("_", " ") for name in names)], rows)])


def _freshness(results: Results) -> Section:
    shares = results["shares"]
    rows = [
        [share, f"{at['events_per_second']:,.0f}", *(f"{at[each]:.2f}" for each in ("p50", "p99"))]
        for share, at in shares.items()
    ]
    maximum = f"of {results['maximum_events_per_second']:,.0f} events/s"
    columns = [maximum, "events/s", "p50, seconds", "p99, seconds"]
    return Section([table(columns, rows)])


def _reading(results: Results) -> Section:
    alone, beside = (results[f"reading_{how}_ms"] for how in ("alone", "while_ingesting"))
    rows = [
        [
            readers,
            question,
            *(
                f"{side[readers][question][share]:.1f}" if question in side[readers] else ""
                for side in (alone, beside)
                for share in ("p50", "p99")
            ),
        ]
        for readers in beside
        for question in beside[readers]
    ]
    columns = ["readers", "ms", "p50 alone", "p99 alone", "p50 ingesting", "p99 ingesting"]
    rates = [
        [readers, f"{each['events_per_second']:,.0f}", f"{each['ratio_to_no_readers']:.2f}"]
        for readers, each in results["ingest"].items()
    ]
    return Section([table(columns, rows), table(["readers", "events/s", "ratio"], rates)])


def _growth(results: Results) -> Section:
    histories = results["histories"]
    names = list(histories[0]["measured"])
    columns = [
        "",
        *(f"{one['events']:,} events, {one['campaigns']:,} campaigns" for one in histories),
    ]
    rows = [
        [name.replace("_", " "), *(f"{one['measured'][name]['median']:,.1f}" for one in histories)]
        for name in names
    ]
    charts = {}
    for number, name in enumerate(names):
        series: dict[str, list[tuple[float, float]]] = {}
        for one in histories:
            point = one["events"], one["measured"][name]["median"]
            series.setdefault(f"{one['campaigns']:,} campaigns", []).append(point)
        title = name.replace("_", " ")
        charts[f"growth-{number}"] = lines(title, "events of history", series, 1)
    return Section([table(columns, rows)], charts)


def _backup(results: Results) -> Section:
    old, new = results["legacy table"], results["new schema"]
    rows = [
        [
            what.replace("_", " "),
            _spread(old, what, 2),
            _spread(new, what, 2),
            f"{old[what]['median'] / new[what]['median']:.1f}",
        ]
        for what in old
    ]
    return Section([table(["", "legacy table", "new schema", "legacy/new"], rows)])


def _browsing(results: Results) -> Section:
    cold = [[f"cold page, {view}", _spread(results["first_chart_ms"], view, 0)]
            for view in results["first_chart_ms"]]  # fmt: skip
    quiet, busy = results["api_ms"]["quiet"], results["api_ms"]["ingesting"]
    asked = [
        [name, *(f"{side[name][key]:.1f}" for side in (quiet, busy) for key in ("p50", "p99"))]
        for name in busy
    ]
    columns = [
        f"{results['readers']} open pages, ms", "p50", "p99",
        f"p50, {results['records_per_second']:,} records/s come in", "p99",
    ]  # fmt: skip
    return Section([table(["first chart, ms", "median (min-max)"], cold), table(columns, asked)])


def _memory(results: Results) -> Section:
    rows = [
        [
            name,
            f"{one['events']:,}",
            f"{one['rss_peak_mib']:.0f}",
            f"{one['events_per_second']:,.0f}",
        ]
        for name, one in results.items()
    ]
    return Section([table(["backlog", "events", "peak RSS, MiB", "events/s"], rows)])


def _migration(results: Results) -> Section:
    told = {
        "replay, ingest, refresh, verify: seconds": _spread(results, "ours_seconds", 1),
        "the same in plain SQL: seconds": _spread(results, "plain_sql_seconds", 1),
        "ratio": _spread(results, "ratio", 2),
        "everything new after VACUUM, MiB": f"{results['new_bytes'] / 2**20:.1f}",
        "legacy table, MiB": f"{results['legacy_bytes'] / 2**20:,.0f}",
        **{
            f"{what}: old/new": f"{each['ratio']:.1f}"
            for what, each in results["dashboards"].items()
        },
    }
    return Section([table(["", "median (min-max)"], [[what, cell] for what, cell in told.items()])])


SECTIONS: Final[Mapping[str, tuple[str, Callable[[Results], Section]]]] = {
    "ingest": ("Ingest", _contest("ingest", "events per second")),
    "duplicates": ("Repeats", _contest("duplicates", "records per second")),
    "scaling": ("Workers on one machine", _contest("scaling", "events per second")),
    "peers": ("Beside other ways", _contest("peers", "events per second")),
    "stages": ("Where the processor's time goes", _stages),
    "freshness": ("Freshness", _freshness),
    "reading": ("Reading while ingesting", _reading),
    "refresh": ("Folding with little and with much history", _refresh),
    "refresh_views": ("Folding beside REFRESH CONCURRENTLY", _refresh_views),
    "growth": ("Growth", _growth),
    "memory": ("Memory", _memory),
    "backup": ("Backup", _backup),
    "migration": ("Migration", _migration),
    "browsing": ("The dashboard over the migrated history", _browsing),
}
"""By bench: its heading, and what is told of it; in the order of the page."""


def _spread(results: Results, name: str, digits: int) -> str:
    median, low, high = (f"{results[name][each]:,.{digits}f}" for each in ("median", "min", "max"))
    return f"{median} ({low}-{high})"


def _median(results: Results, name: str, digits: int) -> str:
    return f"{results[name]['median']:,.{digits}f}" if name in results else ""
