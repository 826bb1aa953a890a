"""The errors of the system, by what the caller can do about them.

    IngesterError                     exit 1
    ├── UsageError                    exit 2    the call itself is wrong
    │   └── InvalidEvent                        the ingester would reject this event
    ├── DifferencesFound              exit 3    verification found differences
    ├── TemporaryError                exit 75   the world outside failed; try the same again
    │   ├── CommitUnknown                       no reply to COMMIT: look before trying again
    │   └── NotDelivered                        Kafka did not take these events (ingester.producer)
    ├── NotPermitted                  exit 77   a login or privilege is missing
    └── NeedsAPerson                  exit 78   settings, topic identity or offsets: decide
        ├── SettingsError
        ├── UnhealthyStream                     nearly every record is refused
        └── OffsetGap                           the stored offset and the topic have parted ways

Drivers' exceptions become these once, at the edge (`ingester.kafka`, `ingester.store`), by code and
never by message text. Retry and pipeline know only this file. Exit codes follow sysexits(3).
"""

from typing import ClassVar


class IngesterError(Exception):
    """Something we did not expect; the message says what, where and what to do."""

    exit_code: ClassVar[int] = 1


class UsageError(IngesterError):
    """The arguments of a call do not make sense."""

    exit_code = 2


class InvalidEvent(UsageError):
    """An event breaks the contract; `reason_code` is what its reject would bear."""

    def __init__(self, reason_code: str, detail: str) -> None:
        super().__init__(f"{reason_code}: {detail}")
        self.reason_code = reason_code
        self.detail = detail


class DifferencesFound(IngesterError):
    """Verification found at least one difference."""

    exit_code = 3


class TemporaryError(IngesterError):
    """A passing fault of the broker, the database or the network between."""

    exit_code = 75


class CommitUnknown(TemporaryError):
    """COMMIT was sent and its reply never came: it may or may not have happened."""


class NotPermitted(IngesterError):
    """A login was refused or a privilege is missing."""

    exit_code = 77


class NeedsAPerson(IngesterError):
    """Going on would risk losing or repeating events; somebody has to decide."""

    exit_code = 78


class SettingsError(NeedsAPerson):
    """A setting is missing, unknown or contradictory."""


class UnhealthyStream(NeedsAPerson):
    """Nearly every record of a partition is refused: probably the wrong topic or schema."""


class OffsetGap(NeedsAPerson):
    """The stored offset does not fit the topic any more; the message names the way on."""
