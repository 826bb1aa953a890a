"""How many examples a property test tries: few in every run, as many as one likes on demand.

`EXAMPLES_FACTOR=100 pytest tests/unit/test_decoder.py` tries a hundred times as many, drawn anew
each time; without it a run is the same on every machine.
"""

import os
from typing import Final

from hypothesis import HealthCheck, settings

FACTOR: Final = int(os.environ.get("EXAMPLES_FACTOR", "1"))


def examples(count: int) -> settings:
    """Settings for a property test that tries `count` examples, times the factor."""
    return settings(
        max_examples=count * FACTOR,
        derandomize=FACTOR == 1,
        deadline=None,  # shared machines stall
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
