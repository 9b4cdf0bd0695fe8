"""What speaks against measuring on a machine: each check on made-up facts, and the facts of this one."""

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from rich.console import Console

from bench.report import checkup
from bench.run import doctor, facts
from bench.run.facts import Facts, Folder
from bench.run.neighbours import Busy

FOLDER = Folder(path="/tmp", free=10**10, kind="ext4", refusal="")
FINE = Facts(
    parent_death_signal=True,
    host={"cpu": "A CPU", "kernel": "6.1", "python": "3.12.1", "machine": "x86_64"},
    versions={"celery": "5.5.1", "kombu": "5.5.0", "celery-bench": "0.1.0", "gevent": "25.1"},
    cores=4,
    quota_cores=None,
    memory_free=2**33,
    swap_used=0,
    governors=("performance",),
    turbo=True,
    busy=0.02,
    busiest=(),
    steal=0.0,
    spins=(0.020, 0.021),
    temporary=FOLDER,
    results=FOLDER,
    open_files=1024,
    brokers={"valkey": ("9.1.2", ""), "redis": ("", "redis-server is not installed")},
)
SHORT = replace(FOLDER, free=10**8)
REFUSED = replace(FOLDER, refusal="Read-only file system", free=0)
NONE = {"valkey": ("", "The private Valkey is missing"), "redis": ("", "redis-server is not installed")}
NOISY = (Busy(4711, "firefox", 0.9), Busy(12, "kswapd0", 0.1))

CASES = [
    ("old-celery", {"versions": {"celery": "5.3.6"}}, "Celery 5.3.6 is too old."),
    ("old-celery", {"versions": {}}, "Celery is not installed."),
    ("no-broker", {"brokers": NONE}, "redis-server is not installed."),
    ("results-refused", {"results": REFUSED}, "Read-only file system"),
    ("temporary-refused", {"temporary": REFUSED}, "Read-only file system"),
    ("few-cores", {"cores": 1}, "1 core"),
    ("quota", {"quota_cores": 1.5}, "1.5 of the 4 cores"),
    ("busy-host", {"busy": 1.02, "busiest": NOISY}, "1.0 cores now: firefox (pid 4711) 90 %, kswapd0"),
    ("steal", {"steal": 0.05}, "5.0 %"),
    ("unsteady-speed", {"spins": (0.020, 0.0230, 0.021)}, "15 %"),
    ("governor", {"governors": ("performance", "powersave")}, "is powersave."),
    ("little-memory", {"memory_free": 2**29}, "512 MiB"),
    ("swap", {"swap_used": 2**30}, "1 GiB"),
    ("temporary-space", {"temporary": SHORT}, "95.4 MiB"),
    ("results-space", {"results": SHORT}, "95.4 MiB"),
    ("remote-folder", {"temporary": replace(FOLDER, kind="nfs4")}, "nfs4"),
    ("open-files", {"open_files": 256}, "256"),
    ("no-parent-death-signal", {"parent_death_signal": False}, "refuses"),
]


def test_a_good_machine_raises_none() -> None:
    assert doctor.doubts(FINE) == []


@pytest.mark.parametrize(("kind", "changes", "says"), CASES)
def test_each_check_and_nothing_else(kind: str, changes: dict[str, object], says: str) -> None:
    (doubt,) = doctor.doubts(replace(FINE, **changes))  # type: ignore[arg-type]
    assert doubt.kind == kind and says in doubt.text
    assert doubt.text.endswith(".") and doubt.source.endswith(".") and doubt.advice


def test_every_check_has_a_case_and_a_line_of_its_own() -> None:
    kinds = {rule.kind for rule in doctor.RULES}
    assert kinds == {kind for kind, _, _ in CASES} == set(doctor.ABOUT)
    assert set(doctor.ABOUT.values()) <= set(facts.in_words(FINE))


@pytest.mark.parametrize("version", ["5.4", "5.10.2", "6.0b1", "5.5.0rc2"])
def test_versions_of_celery_that_will_do(version: str) -> None:
    assert doctor.doubts(replace(FINE, versions={"celery": version})) == []


def test_this_machine(tmp_path: Path) -> None:
    found = facts.find(tmp_path / "results" / "deep")
    assert found.cores >= 1 and found.temporary.kind and found.results.refusal == ""
    assert 0.002 < min(found.spins) < 0.2 and len(found.spins) > 1
    assert found.brokers["valkey"][0][0].isdigit()
    assert json.loads(json.dumps(asdict(found)))["versions"]["celery"]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert facts._folder(tmp_path / "file").refusal == "Not a directory"


def test_a_folder_below_an_unreadable_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed, stat = tmp_path / "closed", Path.stat

    def refuse(path: Path, **options: bool) -> os.stat_result:
        if closed in path.parents:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)

    closed.mkdir()
    monkeypatch.setattr(Path, "stat", refuse)
    monkeypatch.setattr(Path, "exists", lambda path: bool(path.stat()))
    found = facts._folder(closed / "results" / "deep")
    assert found.refusal == "Permission denied"
    assert found.free > 0
    (doubt,) = doctor.doubts(replace(FINE, results=found))
    assert "cannot be written to: Permission denied." in doubt.text


@pytest.mark.parametrize("width", [60, 100])
def test_what_is_printed(width: int) -> None:
    broken = replace(FINE, results=REFUSED, swap_used=2**30, busy=1.0, busiest=NOISY)
    doubts = doctor.doubts(broken)
    console = Console(width=width, _environ={})
    with console.capture() as capture:
        checkup.render(
            facts.in_words(broken), doubts, about=doctor.ABOUT, grave=doctor.GRAVE, console=console
        )
    text = capture.get()
    assert "\x1b" not in text and max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "✗ results" in text and "! memory" in text and "✓ software" in text
    assert text.rstrip().endswith("No session can run here as it is.")
    for doubt in doubts:
        assert doubt.text.split(":")[0] in " ".join(text.split())
