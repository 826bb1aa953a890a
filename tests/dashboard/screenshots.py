"""The pictures in docs/images: `make screenshots`.

A database and a topic of their own on the servers of `make up`, filled by `ingester simulate` from
a seed; every view at 1280 and 360 pixels. Dates are those of today.
"""

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from tests.acceptance.ingester import Ingester
from tests.dashboard.site import Dashboard
from tests.databases import Databases
from tests.services.browser import chromium
from tests.topics import Topics

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
BYTES_MAX: Final = 250_000
SIZES: Final = {1280: 900, 360: 740}
TRAFFIC: Final = ("--events", "120000", "--campaigns", "40", "--days", "45", "--seed", "11",
                  "--duplicates", "0.01", "--invalid", "0.002")  # fmt: skip
_SECONDS: Final = 300.0
_DRAWN_MS: Final = 3_000
"""The lag is known after the second look."""


def main() -> int:
    """Take them all; returns the exit code."""
    path = chromium()
    if path is None:
        sys.stderr.write("No Chromium: run `make test` once as root on Debian, or set CHROMIUM.\n")
        return 78
    IMAGES.mkdir(exist_ok=True)
    with ExitStack() as ending:
        directory = Path(ending.enter_context(tempfile.TemporaryDirectory()))
        databases = Databases(os.environ["DATABASE_URL"])
        ending.callback(databases.end)
        name = databases.migrated()
        ending.callback(databases.drop, name)
        topics = Topics(os.environ["KAFKA_BOOTSTRAP_SERVERS"])
        ending.callback(topics.end)
        topic = topics.create(partitions=4)
        ingester = Ingester(
            directory, os.environ["KAFKA_BOOTSTRAP_SERVERS"], databases.url_of(name), topic,
            {"INGESTER_BATCH_ROWS_MAX": "20000"},
        )  # fmt: skip
        ending.callback(ingester.end)
        for command in (
            ("simulate", *TRAFFIC),
            ("run", "--until-caught-up"),
            ("refresh", "--once"),
        ):
            done = ingester.run(*command, seconds=_SECONDS)
            if done.code:
                sys.stderr.write(done.tail())
                return 1
        dashboard = Dashboard(ingester)
        campaign, day = _worth_showing(dashboard)
        views = {
            "overview": "/?metric=opened",
            "campaign": f"/campaign?id={campaign}&metric=sent",
            "why": f"/campaign?id={campaign}&why={day}",
            "operations": "/operations",
        }
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            for view, address in views.items():
                for width in SIZES:
                    # Of operations the whole page: rejects, storage and months are further down.
                    _take(
                        browser, dashboard.url + address, width, IMAGES / f"{view}-{width}.png",
                        whole=view == "operations",
                    )  # fmt: skip
            _take(browser, dashboard.url, 1280, IMAGES / "overview-dark-1280.png", dark=True)
            browser.close()
    return 0


def _worth_showing(dashboard: Dashboard) -> tuple[str, str]:
    """Of the large campaigns the one that sent on the most days, and its busiest day."""
    lives = {}
    for top in dashboard.ask("/api/top", {"limit": 10}).json["campaigns"]:
        asked = {"campaign": top["campaign_id"]}
        lives[top["campaign_id"]] = dashboard.ask("/api/trend", asked).json["periods"]
    campaign = max(lives, key=lambda name: len(lives[name]))
    busiest = max(lives[campaign], key=lambda period: int(period["sent"]))
    return campaign, str(busiest["period_start"])[:10]


def _take(
    browser: Browser, url: str, width: int, file: Path, *, dark: bool = False, whole: bool = False
) -> None:
    size = {"width": width, "height": SIZES[width]}
    context = browser.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        color_scheme="dark" if dark else "light",
    )
    page = context.new_page()
    page.goto(url)
    page.locator("main[data-loaded]").wait_for()
    page.wait_for_timeout(_DRAWN_MS)
    page.screenshot(path=file, full_page=whole)
    context.close()
    size_bytes = file.stat().st_size
    sys.stdout.write(f"{file.relative_to(IMAGES.parents[1])}  {size_bytes / 1000:.0f} kB\n")
    if size_bytes > BYTES_MAX:
        raise RuntimeError(f"{file} has more than {BYTES_MAX} bytes")


if __name__ == "__main__":
    sys.exit(main())
