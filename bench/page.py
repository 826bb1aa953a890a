"""`python -m bench.page`: writes the measured part of docs/performance.md, and docs/images/*.svg.

From the newest JSON of each bench in .local/bench that was no trial (`--quick`). What stands
outside of the two marks in the page is left as it is; so is everything where nothing was measured.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from bench import report
from bench.sections import SECTIONS, Section, table
from tests.services.standing import LOCAL

_DOCS: Final = Path(__file__).parents[1] / "docs"
_BEGIN: Final = "<!-- measured: written by `make bench-report` -->"
_END: Final = "<!-- measured: end -->"

Document = dict[str, Any]


def main(
    *,
    results: Annotated[Path, typer.Option(help="Where the JSON files are.")] = LOCAL / "bench",
    docs: Annotated[Path, typer.Option(help="Where performance.md is.")] = _DOCS,
    quick: Annotated[
        bool, typer.Option("--quick", help="Take trials too: to try the page, not to quote.")
    ] = False,
) -> None:
    """Put what was measured into docs/performance.md."""
    documents = newest(results, trials=quick)
    if not documents:
        report.say(f"Nothing was measured yet in {results}: `make bench`.")
        raise typer.Exit(1)
    images = docs / "images"
    images.mkdir(exist_ok=True)
    told = [_machine(next(iter(documents.values())))]
    for name, (heading, section) in SECTIONS.items():
        if name in documents:
            document = documents[name]
            shown = section(document["results"])
            for file, svg in shown.charts.items():
                (images / f"{file}.svg").write_text(svg, encoding="utf-8")
            told.append(_markdown(heading, document, shown))
    page = docs / "performance.md"
    page.write_text(replaced(page.read_text(encoding="utf-8"), "\n\n".join(told)), encoding="utf-8")
    report.say(f"{', '.join(documents)} → {page.name}, {images.name}/")


def newest(folder: Path, *, trials: bool) -> dict[str, Document]:
    """The newest document of each bench, by its name."""
    found: dict[str, Document] = {}
    for file in sorted(folder.glob("*.json")):
        document = json.loads(file.read_text(encoding="utf-8"))
        if trials or "--quick" not in document["command"]:
            before = found.get(document["bench"])
            if before is None or before["finished"] <= document["finished"]:
                found[document["bench"]] = document
    return found


def replaced(page: str, measured: str) -> str:
    """The page with this between its marks; they are added at its end where they are missing."""
    if _BEGIN not in page:
        page = f"{page.rstrip()}\n\n{_BEGIN}\n{_END}\n"
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n\n{measured}\n\n{_END}{after}"


def _machine(document: Document) -> str:
    hardware, versions = document["hardware"], document["versions"]
    facts = {
        "processor": f"{hardware['processor']}, {hardware['cores']} cores",
        "memory": f"{(hardware['memory_kib'] or 0) / 2**20:.0f} GiB",
        "system": hardware["system"],
        **{name: str(version) for name, version in versions.items()},
    }
    rows = [[name, value] for name, value in facts.items()]
    return f"## Measured side by side\n\n{table(['machine', ''], rows)}"


def _markdown(heading: str, document: Document, section: Section) -> str:
    commit, hardware = document["commit"], document["hardware"]
    changed = " with changes" if commit["dirty_in_what_is_measured"] else ""
    load = hardware["load_average_before"][0]
    source = (
        f"`{document['command']}` on {document['finished'][:10]}, commit "
        f"`{(commit['hash'] or 'unknown')[:7]}`{changed}, load before {load:.1f}."
    )
    charts = [f"![{heading}](images/{name}.svg)" for name in section.charts]
    return "\n\n".join((f"### {heading}", source, *section.tables, *charts))


if __name__ == "__main__":
    typer.run(main)
