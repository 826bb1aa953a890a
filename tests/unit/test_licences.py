"""`make audit` lets a licence pass for what it is, not for a word that occurs in it."""

import importlib.util
from pathlib import Path

import pytest

_FILE = Path(__file__).parents[2] / ".ci" / "licences.py"
_SPEC = importlib.util.spec_from_file_location("licences", _FILE)
assert _SPEC is not None
assert _SPEC.loader is not None
licences = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(licences)


@pytest.mark.parametrize(
    "expression",
    [
        "MIT",
        "MIT OR GPL-3.0-only",
        "GPL-3.0-only OR MIT",
        "MPL-2.0 AND (Apache-2.0 OR GPL-2.0-only)",
        "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0",
    ],
)
def test_what_leaves_a_choice_of_accepted_licences_alone_is_accepted(expression: str) -> None:
    assert licences.is_accepted(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "UNKNOWN",
        "GPL-3.0-only",
        "MIT AND GPL-3.0-only",
        "(MIT OR Apache-2.0) AND GPL-3.0-only",
        "see disclaimer",  # ISC is a part of it
        "Not MIT",
        "MIT License, with exceptions",
        "(MIT",
        "MIT)",
        "MIT OR",
        "()",
    ],
)
def test_nothing_else_is(expression: str) -> None:
    assert not licences.is_accepted(expression)


def test_a_package_that_is_not_installed_is_refused_unless_it_is_for_another_platform(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    requirements = tmp_path / "requirements.txt"
    pinned = "pytest==1.0 \\\n    --hash=sha256:0\nno-such-package==1.0"
    requirements.write_text(f"{pinned} ; sys_platform == 'no-such-platform' \\\n")
    assert licences.main(requirements) == 0
    assert "not for this platform" in capsys.readouterr().out

    requirements.write_text(f"{pinned} ; python_version > '3' \\\n")
    assert licences.main(requirements) == 3
    assert "not installed  NOT ACCEPTED" in capsys.readouterr().out


def test_a_program_that_the_checks_run_is_no_part_of_what_is_shipped() -> None:
    runtime = (_FILE.parents[1] / "requirements" / "runtime.txt").read_text()
    assert not [name for name in licences.ACCEPTED_PROGRAMS if f"{name}==" in runtime]
