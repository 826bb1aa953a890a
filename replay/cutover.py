"""What must hold before the old table's name may change hands; pure.

Each requirement is a sentence with what is missing, so that a refusal is a list to work through.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from replay.verification import CLAIMS, Verdict


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that must hold; `missing` is empty where it does."""

    claim: str
    missing: str = ""

    @property
    def ok(self) -> bool:
        """Whether it holds."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in one snapshot."""

    ranges: int
    ranges_open: int
    corrections_open: int
    partitions_behind: int
    batches_unfolded: int
    rejects: int
    in_the_way: Sequence[str]
    verdict: Verdict


def requirements(found: Findings) -> list[Requirement]:
    """Everything that a cutover needs, in the order in which one would mend it."""
    return [
        Requirement(
            "every range of the ledger is replayed and acknowledged",
            f"{found.ranges_open} of {found.ranges} ranges are open. Run: replay run"
            if found.ranges_open
            else "",
        ),
        Requirement(
            "every correction is published and acknowledged",
            f"{found.corrections_open} corrections are only planned. Run: replay sync"
            if found.corrections_open
            else "",
        ),
        Requirement(
            "no replay event is among the rejects",
            f"{found.rejects} were rejected: requeue or discard them" if found.rejects else "",
        ),
        Requirement(
            "the last acknowledged replay event is ingested",
            f"{found.partitions_behind} partitions are behind. Is `ingester run` running?"
            if found.partitions_behind
            else "",
        ),
        Requirement(
            "the last acknowledged replay event is in the statistics",
            f"{found.batches_unfolded} batches are not folded. Is `ingester refresh` running?"
            if found.batches_unfolded
            else "",
        ),
        Requirement(
            "nothing that depends on the old table is in the way", "; ".join(found.in_the_way)
        ),
        *(
            Requirement(
                claim, "it differs. Run: replay verify" if name in found.verdict.failed else ""
            )
            for name, claim in CLAIMS.items()
        ),
    ]
