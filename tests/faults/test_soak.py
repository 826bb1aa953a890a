"""The scales of the soak: a leak would be seen."""

import itertools
import os
from typing import Any

import pytest

from tests.faults.scales import Weight, growth, slope_percent_an_hour, weighed
from tests.faults.slices import exit_code, markdown, verdict
from tests.faults.soak import fault_times


def weights(*rss_kib: int) -> list[Weight]:
    """One a minute."""
    return [Weight(60.0 * number, rss, 10, 2) for number, rss in enumerate(rss_kib)]


def test_a_process_that_grows_has_a_slope_and_one_that_wavers_has_none() -> None:
    assert slope_percent_an_hour(weights(*range(100_000, 100_600, 10))) == pytest.approx(
        0.6, abs=0.01
    )
    assert abs(slope_percent_an_hour(weights(*[100_000, 101_000] * 60))) < 1.0


def test_a_process_is_weighed_as_the_kernel_sees_it() -> None:
    before = weighed(os.getpid(), 0.0)
    held = [open(os.devnull) for _ in range(5)], bytearray(64 * 1024 * 1024)  # noqa: PTH123, SIM115
    after = weighed(os.getpid(), 1.0)
    for file in held[0]:
        file.close()
    assert after.descriptors == before.descriptors + 5
    assert after.rss_kib - before.rss_kib > 32 * 1024
    assert after.threads >= 1


def slice_of(minutes: float, slope: float, *, ok: bool = True) -> dict[str, Any]:
    """What one run of the soak has kept."""
    process = {"rss_mib": 80.0, "slope_percent_an_hour": slope, "descriptors": [20, 20]}
    return {
        "ok": ok,
        "judged": minutes >= 20,
        "minutes": minutes,
        "rate": 1_000,
        "faults": 9,
        "records": 1_000_000,
        "processes": {"worker": process},
        "at": "2026-01-01T00:00+00:00",
    }


def test_every_fault_comes_several_times_before_it_is_weighed_and_then_every_two_minutes() -> None:
    at = list(itertools.takewhile(lambda each: each < 1_800, fault_times(1_800, 120)))
    weighed_at = [each for each in at if each >= 360]
    assert len(at) - len(weighed_at) >= 3 * 4
    assert weighed_at == list(range(420, 1_800, 120))


def test_slices_add_up_to_one_verdict() -> None:
    slices = [slice_of(28, 0.2), slice_of(28, 0.7), slice_of(28, -0.1), slice_of(5, 40.0)]
    found = verdict(slices)
    assert (found["minutes_judged"], found["records"]) == (84, 4_000_000)
    assert found["worst_slope_percent_an_hour"] == {"worker": 0.7}, "five minutes are noise"
    assert exit_code(found) == 75
    assert "84 of 120 minutes judged: not reached yet. Worst slope: worker +0.70 %/h" in markdown(
        slices
    )
    assert exit_code(verdict([*slices, slice_of(36, 0.3)])) == 0
    assert exit_code(verdict([*slices, slice_of(36, 3.0, ok=False)])) == 3


def test_what_grows_is_not_flat() -> None:
    assert growth(weights(*range(100_000, 100_600, 10)))["flat"]
    assert not growth(weights(*range(100_000, 102_000, 20)))["flat"]
