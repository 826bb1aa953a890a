"""Topics of their own for the tests, made through Kafka's admin client and waited for."""

import time
import uuid
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic

_SECONDS_MAX = 15.0
_POLL_SECONDS = 0.05


class Topics:
    """Creates and deletes topics of one cluster."""

    def __init__(self, bootstrap: str) -> None:
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
        self._created: list[str] = []

    def create(self, partitions: int = 1, name: str | None = None, **config: str) -> str:
        """A new topic, ready for use.

        Args:
            partitions: how many.
            name: a unique one by default.
            config: topic settings, with _ for each dot: `cleanup_policy="compact"`.

        Returns its name.
        """
        name = name or f"events-{uuid.uuid4().hex[:12]}"
        settings = {key.replace("_", "."): value for key, value in config.items()}
        self._resolve(self._admin.create_topics([NewTopic(name, partitions, 1, config=settings)]))
        self._created.append(name)
        self._wait_for(name, partitions)
        return name

    def delete(self, name: str) -> None:
        """Delete one, also to create it again under the same name."""
        self._resolve(self._admin.delete_topics([name], operation_timeout=_SECONDS_MAX))
        self._created.remove(name)

    def end(self) -> None:
        """Delete what is left: a given cluster is handed back as it was."""
        if self._created:
            self._admin.delete_topics(self._created, operation_timeout=_SECONDS_MAX)

    def _wait_for(self, name: str, partitions: int) -> None:
        """Created means accepted by the controller; leaders follow."""
        deadline = time.monotonic() + _SECONDS_MAX
        while time.monotonic() < deadline:
            known = self._admin.list_topics(name, timeout=_SECONDS_MAX).topics.get(name)
            leaders = [partition.leader for partition in known.partitions.values()] if known else []
            if len(leaders) == partitions and min(leaders) >= 0:
                return
            time.sleep(_POLL_SECONDS)
        raise TimeoutError(f"Topic {name} has no leaders after {_SECONDS_MAX:.0f} s.")

    @staticmethod
    def _resolve(futures: dict[str, Any]) -> None:
        for future in futures.values():
            future.result(_SECONDS_MAX)
