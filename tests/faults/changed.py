"""The topic is not what it was, in six ways: the acceptance tests that make each, counted."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Final
from xml.etree import ElementTree as ET

from tests.faults.arena import Round
from tests.faults.grounds import Grounds

_CHECKOUT: Final = Path(__file__).parents[2]
_FILE: Final = "tests/acceptance/test_changed_topics.py"
CASES: Final = {
    "retention passed": "test_records_deleted_before_they_were_read",
    "made again with fewer records": "test_the_topic_is_made_again[fewer]",
    "made again with more records": "test_the_topic_is_made_again[more]",
    "truncated": "test_the_log_is_truncated_and_filled_again_past_the_stored_offset",
    "stored offset ahead": "test_an_older_copy_of_the_log_comes_back",
    "another cluster": "test_another_cluster_answers",
}
"""Each stops with 78, names the command that goes on, and that command works."""


def fight(grounds: Grounds, done: Round, random: Random, *, settings: Mapping[str, str]) -> None:
    """Run all six, on servers of their own."""
    del random
    done.faults = 0
    result = grounds.directory / f"changed-{done.seed}.xml"
    nodes = [f"{_FILE}::{name}" for name in CASES.values()]
    command = [sys.executable, "-m", "pytest", "-q", f"--junit-xml={result}", *nodes]
    ran = subprocess.run(
        command,
        cwd=_CHECKOUT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    if not result.exists():
        raise AssertionError(f"pytest ended with {ran.returncode}:\n{ran.stdout[-2_000:]}")
    passed = {
        case.get("name")
        for case in ET.parse(result).iter("testcase")  # noqa: S314  # pytest's own file
        if len(case) == 0
    }
    for what, name in CASES.items():
        if name in passed:
            done.faults += 1
            done.note(what)
        else:
            done.differences.append(f"{what}: {name} did not pass")
