"""Campaign ids to keys: looked up first, added only where missing, remembered within bounds."""

from collections.abc import Iterable, Mapping

from ingester.store.connection import Connection
from ingester.store.statements import statement


class CampaignKeys:
    """A bounded cache over the table `campaigns`.

    Ids are added in a short transaction of their own, before the batch's: a batch that fails burns
    no keys, and the lock on a new id is never held for the length of a COPY.
    """

    def __init__(self, size_max: int) -> None:
        self._size_max = size_max
        self._keys: dict[str, int] = {}

    def resolve(self, connection: Connection, campaign_ids: Iterable[str]) -> Mapping[str, int]:
        """Return a mapping that has the key of every given id; must run outside a transaction."""
        wanted = set(campaign_ids)
        missing = sorted(wanted.difference(self._keys))
        if missing:
            if len(self._keys) + len(missing) > self._size_max:
                self._keys = {name: self._keys[name] for name in wanted if name in self._keys}
            self._look_up(connection, missing)
            added = [name for name in missing if name not in self._keys]
            if added:
                connection.execute(statement("add_campaigns"), {"campaign_ids": added})
                self._look_up(connection, added)
        return self._keys

    def known(self) -> Mapping[str, int]:
        """What is remembered now; safe to read from another thread."""
        return self._keys

    def forget(self) -> None:
        """Drop what is remembered: another server, or an older state of it, may answer next."""
        self._keys = {}

    def _look_up(self, connection: Connection, campaign_ids: list[str]) -> None:
        found = connection.execute(statement("campaign_keys"), {"campaign_ids": campaign_ids})
        self._keys |= found.fetchall()
