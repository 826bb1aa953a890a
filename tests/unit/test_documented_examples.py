"""Code in the documentation is code of the examples, which other tests run; images are shown."""

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


def test_every_image_is_shown_and_every_image_that_is_shown_is_there() -> None:
    pages = [CHECKOUT / "README.md", *(CHECKOUT / "docs").glob("*.md")]
    shown = {
        (page.parent / target).resolve()
        for page in pages
        for target in re.findall(r"!\[[^]]*\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
        if "://" not in target
    }
    assert shown == {*(CHECKOUT / "docs" / "images").resolve().iterdir()}
