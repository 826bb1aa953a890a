"""The report adds rounds up, and does not call faults what they were not."""

import json
from pathlib import Path

import pytest

from tests.faults.__main__ import main
from tests.faults.arena import Round
from tests.faults.kill import STAGES
from tests.faults.kinds import KINDS
from tests.faults.report import Report
from tests.faults.shown import markdown

WANTED = KINDS["kill"].wanted


@pytest.fixture
def report(tmp_path: Path) -> Report:
    return Report(tmp_path / "faults.json", "c0ffee", "sources")


def killed(stages: tuple[str, ...]) -> Round:
    """All the kills that are wanted, at these stages."""
    done = Round("kill", 1, WANTED)
    for number in range(WANTED):
        done.note(f"at {stages[number % len(stages)]}")
    return done


def test_kills_at_every_stage_are_well(report: Report) -> None:
    report.add(killed(STAGES))
    assert report.ok
    assert "kill, by stage: assign 15, commit 15, committed 15" in markdown(report)


def test_a_stage_at_which_nobody_died_is_not_well_once_all_are_dead(report: Report) -> None:
    done = killed(tuple(stage for stage in STAGES if stage != "hint"))
    done.faults = WANTED - 1
    report.add(done)
    before = report.ok
    report.add(Round("kill", 2, 1))
    assert (before, report.ok) == (True, False), "until then the next rounds may come to it"
    assert report.totals()["kill"]["unseen"] == ["at hint"]
    assert "kill, never seen: at hint." in markdown(report)


@pytest.mark.parametrize(("slowest", "told"), [(29.0, "30 s: met"), (99.0, "30 s: missed")])
def test_recoveries_stand_beside_what_is_promised(
    report: Report, slowest: float, told: str
) -> None:
    report.add(Round("leader killed", 1, 3, recoveries=[1.0, slowest, slowest]))
    assert f"| {told} |" in markdown(report)
    assert report.ok, "a busy machine is slow: it is told, not judged"


def test_what_was_left_out_is_named_with_the_reason(report: Report, tmp_path: Path) -> None:
    report.leave_out({"disk full": "only root can mount a small file system"})
    again = Report(tmp_path / "faults.json", "c0ffee", "sources")
    assert again.left_out == {"disk full": "only root can mount a small file system"}
    assert "disk full: left out, only root can mount a small file system." in markdown(again)


def test_what_this_machine_cannot_fight_is_not_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    where = ["--report", str(tmp_path / "faults.json")]
    assert main(["--kind", "disk full", "--lanes", "0", "--json", *where]) == 75
    told = json.loads(capsys.readouterr().out)
    assert told["left_out"] == {"disk full": "only root can mount a small file system"}
    assert told["ok"], "nothing went wrong"


def test_a_round_that_broke_down_is_a_bad_round(report: Report) -> None:
    done = Round("leader killed", 1)
    done.differences.append("TypeError: broken")
    report.add(done)
    assert not report.ok
    assert report.bad_rounds("leader killed") == 1
