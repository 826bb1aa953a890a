"""What a running `ingester` serves on its metrics port, read as Prometheus and a platform would."""

import json
import re
import urllib.error
import urllib.request
from typing import Any, Final

from tests.acceptance.process import Running

SETTINGS: Final = {"INGESTER_METRICS_PORT": "0"}
"""Any free port; the log says which."""
_SAMPLE: Final = re.compile(r'^(\w+)(?:\{\w+="([^"]*)"[^}]*\})? (\S+)$', re.MULTILINE)


class Page:
    """The page of one process that was started with SETTINGS."""

    def __init__(self, running: Running, seconds: float = 30.0) -> None:
        self._address = f"http://127.0.0.1:{running.until('metrics_served', seconds)['port']}"

    def figures(self) -> dict[tuple[str, str], float]:
        """Value by (name, value of the first label)."""
        text = self._get("/metrics")[1]
        return {(name, of): float(value) for name, of, value in _SAMPLE.findall(text)}

    def total(self, name: str) -> float:
        """Of one name, all labels together."""
        return sum(value for (found, _), value in self.figures().items() if found == name)

    def reasons(self, path: str) -> list[str] | None:
        """Why /livez or /readyz says no; None where it says yes."""
        code, text = self._get(path)
        answer: dict[str, Any] = json.loads(text)
        assert (code == 200) == answer["ok"] == (not answer["reasons"])
        return answer["reasons"] or None

    def text(self, path: str) -> str:
        """All that is answered, whatever the path."""
        return self._get(path)[1]

    def _get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self._address + path, timeout=10) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
