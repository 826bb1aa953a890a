"""The hostile corpus as records: tests/corpus/README.md says how the files are to be read."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.record import FakeRecord

CORPUS = Path(__file__).parent / "corpus"
ACCEPTED = "accepted"

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A record and the reason code that it must be refused with, or ACCEPTED."""

    name: str
    expected: str
    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()

    def record(self, offset: int = 0) -> FakeRecord:
        """As the client would hand it over."""
        headers: list[tuple[str, str | bytes | None]] = list(self.headers)
        return FakeRecord(offset, self.value, self.key, headers)


def cases() -> Iterator[Case]:
    """Every file, in the order of their names."""
    for path in sorted(CORPUS.glob("*/*")):
        name, expected = f"{path.parent.name}/{path.stem}", path.parent.name
        if path.suffix == ".value":
            yield Case(name, expected, path.read_bytes())
        else:
            yield _described(name, expected, json.loads(path.read_text(encoding="utf-8")))


def _described(name: str, expected: str, told: dict[str, Any]) -> Case:
    value, key = told["value"], None
    if "key" in told:
        key = _repeated([told["key"]])
    elif "key_base64" in told:
        key = base64.b64decode(told["key_base64"])
    headers = tuple(
        (header, _repeated([content]) if isinstance(content, list) else _decoded(content))
        for header, content in told.get("headers", ())
    )
    whole = None if value is None else _repeated(value)
    return Case(name, expected, whole, key, headers * told.get("header_times", 1))


def _repeated(parts: list[Any]) -> bytes:
    return "".join(text * times for text, times in parts).encode()


def _decoded(content: str | None) -> bytes | None:
    return None if content is None else base64.b64decode(content)
