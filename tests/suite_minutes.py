"""A pytest plug-in that prints the minutes of each suite (folder of tests/), services included."""

from collections import Counter, defaultdict
from pathlib import PurePath

import pytest


class SuiteMinutes:
    """Adds up every phase of every test; a fixture counts for the suite that asked first."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._tests: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called after set-up, call and teardown of each test."""
        suite = "/".join(PurePath(report.nodeid.partition("::")[0]).parts[:2])
        self._seconds[suite] += report.duration
        self._tests[suite] += report.when == "call"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The table, above pytest's own last line."""
        terminalreporter.section("minutes of each suite")
        for suite, seconds in sorted(self._seconds.items()):
            line = f"{suite:<24} {seconds / 60:6.2f} min  {self._tests[suite]:5} tests"
            terminalreporter.write_line(line)
