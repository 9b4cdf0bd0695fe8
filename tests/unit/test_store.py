"""Run folders: round trips, torn and broken files, full disks, foreign folders."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import store
from bench.errors import EnvironmentFault, UsageError
from bench.events import EVENT_COLUMNS, Recording
from bench.jsonable import plain
from bench.measured import TrialResult
from bench.model import Broker, Cell, Load, Scenario, Setup, TaskCall

URL = "redis://me:secret@host/0"
CELL = Cell(
    id="c0",
    settings={"workers.pool": "prefork"},
    setup=Setup(workload=(TaskCall(task="noop"),), load=Load(tasks=1), broker=Broker(url=URL)),
)
SCENARIO = Scenario(name="quick", question="?", metric="throughput", repeats=1, cells=(CELL,))


def meta(created: str = "2026-11-20T21:15:00+00:00", **more: Any) -> dict[str, Any]:
    return {"created": created, "seed": 1, "quick": False, "scenarios": [plain(SCENARIO)], **more}


def result(trial: str = "t0", **more: Any) -> TrialResult:
    fields: dict[str, Any] = {
        "scenario": "quick", "cell": "c0", "block": 0, "position": 0, "seed": 1, "started_at": "now",
        "outcome": "ok",
        "settings": {"workers.pool": "prefork"}, "counts": {"published": 3}, "metrics": {"throughput": 12.5},
        "effective": ({"pid": 7},), "mismatches": ("a",), "resources": {"pool": {"cpu": 1.0}},
    }  # fmt: skip
    return TrialResult(trial=trial, **(fields | more))


def recording(**more: Any) -> Recording:
    events = pd.DataFrame(
        [[1, 20, 2, 0, 0, -1, 5, 0, 0], [0, 10, 1, 0, 0, -1, 5, 0, 0]], columns=list(EVENT_COLUMNS)
    )
    return Recording(
        **{"started_at": "now", "outcome": "ok", "events": events.astype(dict(EVENT_COLUMNS)), **more}
    )


@pytest.fixture
def run(tmp_path: Path) -> store.Run:
    return store.create(tmp_path / "results", "one", meta())


def test_what_is_appended_is_read_back(run: store.Run) -> None:
    first, second = result("t0"), result("t1", block=1, outcome="failed", reason="died")
    run.append(first, recording())
    run.append(second, recording(outcome="failed", logs={"node-0": "late words \udcff"}))
    again = store.open_run(run.path.parent, "one")
    assert again.results() == [first, second]
    assert again.events("t0")["t_ns"].tolist() == [10, 20]
    assert again.samples("t0").empty
    assert [s.name for s in again.scenarios] == ["quick"]
    assert not list((run.path / "trials/t0").glob("*.log"))
    assert (run.path / "trials/t1/node-0.log").read_text() == "late words ?"


def test_a_trial_run_again_replaces_the_first(run: store.Run) -> None:
    run.append(result(outcome="failed"), recording())
    run.append(result("t1"), recording())
    run.append(result(), recording())
    assert [(r.trial, r.ok) for r in run.results()] == [("t0", True), ("t1", True)]


def test_no_password_and_no_nan_reach_the_disk(run: store.Run) -> None:
    bad = result(
        outcome="failed",
        reason="cannot reach redis://me:secret@host/0",
        metrics={"throughput": np.float64(3.5), "cpu": float("nan"), "memory": float("inf")},
        effective=({"x": float("nan"), "y": [np.int64(4), float("nan")]},),
    )
    run.append(bad, recording(logs={"node-0": "amqp://u:secret@h//"}))
    line = json.loads((run.path / "trials.jsonl").read_text(), parse_constant=pytest.fail)
    assert line["metrics"] == {"throughput": 3.5}
    assert line["effective"] == [{"y": [4, None]}]
    for path in run.path.rglob("*"):
        assert path.is_dir() or b"secret" not in path.read_bytes()


def lines(run: store.Run, n: int) -> bytes:
    for i in range(n):
        run.append(result(f"t{i}"), recording())
    return (run.path / "trials.jsonl").read_bytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(cut=st.floats(0, 1))
def test_torn_at_any_byte(tmp_path_factory: pytest.TempPathFactory, cut: float) -> None:
    """Cut anywhere, the whole lines before the cut are read, and the next append leaves a whole file."""
    run = store.create(tmp_path_factory.mktemp("r"), "one", meta())
    raw = lines(run, 3)
    torn = raw[: int(cut * len(raw))]
    (run.path / "trials.jsonl").write_bytes(torn)
    whole = torn.count(b"\n")
    assert [r.trial for r in run.results()] == [f"t{i}" for i in range(whole)]
    run.append(result("new"), recording())
    assert [r.trial for r in run.results()] == [*(f"t{i}" for i in range(whole)), "new"]


def test_a_torn_line_of_zeros_after_a_power_cut(run: store.Run) -> None:
    raw = lines(run, 1)
    (run.path / "trials.jsonl").write_bytes(raw + bytes(100))
    assert len(run.results()) == 1


@pytest.mark.parametrize("broken", [b"{nonsense", b"[]", b'"x"', b'{"format": 2}', b"\xff\xfe", b""])
def test_a_broken_line_in_the_middle_is_named(run: store.Run, broken: bytes) -> None:
    raw = lines(run, 1)
    (run.path / "trials.jsonl").write_bytes(raw + broken + b"\n" + raw)
    with pytest.raises(UsageError, match=r"trials\.jsonl:2 cannot be read"):
        run.results()


def test_another_format_is_refused(run: store.Run) -> None:
    raw = lines(run, 1)
    (run.path / "trials.jsonl").write_bytes(raw.replace(b'"format": 2', b'"format": 3'))
    with pytest.raises(UsageError, match="has format 3, this celery-bench reads format 2"):
        run.results()
    (run.path / "run.json").write_text('{"format": 7}')
    with pytest.raises(UsageError, match="has format 7"):
        store.open_run(run.path.parent, "one")
    assert store.list_runs(run.path.parent) == []


def test_a_search_asks_for_its_confirmation_only(tmp_path: Path) -> None:
    search = store.create(tmp_path, "search", meta(tune={}))
    assert search.planned == 0
    search.add(replace(SCENARIO, name="confirmed", repeats=3))
    assert search.planned == 3 * len(SCENARIO.cells)


def test_names(tmp_path: Path) -> None:
    names = [store.create(tmp_path, None, meta()).name for _ in range(3)]
    assert names[0].endswith("-quick") and names[1:] == [f"{names[0]}-2", f"{names[0]}-3"]
    many = meta(scenarios=[plain(replace(SCENARIO, name=n)) for n in "abcd"])
    assert store.create(tmp_path, None, many).name.endswith("-a-b-2-more")
    store.create(tmp_path, "mine", meta())
    with pytest.raises(UsageError, match="exists already"):
        store.create(tmp_path, "mine", meta())


@pytest.mark.parametrize("name", ["", "..", "latest", ".hidden", "a/b"])
def test_names_that_are_no_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a name"):
        store.create(tmp_path, name, meta())


def test_finding_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "results"
    with pytest.raises(UsageError, match="there are no runs"):
        store.open_run(root, "latest")
    store.create(root, "old", meta("2026-01-01T00:00:00+00:00"))
    store.create(root, "new", meta("2026-02-01T00:00:00+01:00"))
    (root / "half-made").mkdir()
    (root / "baselines" / "x").mkdir(parents=True)
    (root / "foreign").mkdir()
    (root / "foreign" / "run.json").write_text("not ours")
    (root / "a-file").write_text("")
    assert [run.name for run in store.list_runs(root)] == ["old", "new"]
    assert store.open_run(root, "latest").name == "new"
    assert store.open_run(root, str(root / "old")).name == "old"
    monkeypatch.chdir(root)
    assert store.open_run(root, "./old").name == "old"
    with pytest.raises(UsageError, match="there is no run 'odl'") as error:
        store.open_run(root, "odl")
    assert "old" in error.value.hint


def test_a_missing_trial(run: store.Run) -> None:
    with pytest.raises(UsageError, match="missing"):
        run.events("nobody")


def test_a_damaged_trial_is_named(run: store.Run) -> None:
    folder = run.path / "trials" / "torn"
    folder.mkdir(parents=True)
    (folder / "events.parquet").write_bytes(b"PAR")
    with pytest.raises(UsageError, match=r"torn/events\.parquet is damaged") as caught:
        run.events("torn")
    assert "trials.jsonl" in caught.value.hint


@pytest.fixture(params=["events.parquet", "the line", "fsync"])
def full_disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The disk fills up while this is written; calling it starts that."""

    def start(run: store.Run) -> None:
        no_room = OSError(errno.ENOSPC, "No space left on device")

        def refuse(*args: object, **kwargs: object) -> None:
            raise no_room

        def half(self: store.Run, line: bytes) -> None:
            with (self.path / "trials.jsonl").open("ab") as file:
                file.write(line[:20])
            raise no_room

        if request.param == "events.parquet":
            monkeypatch.setattr(pd.DataFrame, "to_parquet", refuse)
        elif request.param == "fsync":
            monkeypatch.setattr(os, "fsync", refuse)
        else:
            monkeypatch.setattr(store.Run, "_append_line", half)

    yield start


def test_a_full_disk_loses_nothing(run: store.Run, full_disk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run.append(result("t0"), recording())
    full_disk(run)
    with pytest.raises(EnvironmentFault, match="is full") as error:
        run.append(result("t1"), recording())
    assert error.value.exit_code == 3 and "--resume" in error.value.hint
    assert [r.trial for r in run.results()] == ["t0"]
    assert not list((run.path / "trials").glob("*.part"))
    monkeypatch.undo()
    run.append(result("t1"), recording())
    assert [r.trial for r in run.results()] == ["t0", "t1"]


def test_a_root_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="cannot be used") as error:
        store.create(tmp_path / "file" / "results", None, meta())
    assert error.value.hint


def test_listing_needs_no_pandas(run: store.Run) -> None:
    """`celery-bench list` and `--help` have to be quick."""
    code = f"""if True:
        import pathlib, sys
        from bench import store
        (run,) = store.list_runs(pathlib.Path({str(run.path.parent)!r}))
        run.results()
        sys.exit(any(m in sys.modules for m in ("pandas", "numpy", "pyarrow", "celery")))
    """
    subprocess.run([sys.executable, "-c", code], check=True)
