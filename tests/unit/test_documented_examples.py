"""Code in the documentation is code of the examples, which other tests run."""

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
SUFFIXES = {"python": "py", "java": "java", "go": "go"}


@pytest.mark.parametrize("name", ["README.md", "docs/reading.md", "docs/producing.md"])
def test_every_block_of_code_stands_in_an_example(name: str) -> None:
    text = (CHECKOUT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"^```(python|java|go)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert blocks
    for language, block in blocks:
        files = (CHECKOUT / "examples").rglob(f"*.{SUFFIXES[language]}")
        assert any(block in file.read_text(encoding="utf-8") for file in files), block
