"""The scales of the soak: a leak would be seen."""

import os

import pytest

from tests.faults.soak import Weight, slope_percent_an_hour, weighed


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
