"""The pytest plugin: a scenario measured inside a test suite.

.. code-block:: python

    def test_a_worker_keeps_up(celery_bench):
        s = celery_bench("scenarios/mail.yaml", repeats=5)
        assert s["throughput"].lower > 500
        assert s["p95(response)"].upper < 0.25

The harness runs in a process of its own: nothing of it gets into the tests, nor their imports into it.
"""

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

RESULTS = "--celery-bench-results"
GATES = {0: "pass", 5: "fail", 6: "undecided"}
"""What exit codes of a run in which every trial went well say of the scenario's gates."""
LONGEST_NAME = 120
"""Bytes of a scenario's name before its hash: a file's has 255 at most, and reports put words before it."""
PATIENCE_S = 30.0
"""So long an interrupted session may take to stop its workers."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A metric over the trials of a cell, SI units: ``point``, and the ends of its 95 % interval."""

    metric: str
    point: float
    ends: tuple[float | None, float | None] = field(repr=False)

    @property
    def lower(self) -> float:
        """Lower end. Raises ValueError where there was only one trial."""
        return self._end(0)

    @property
    def upper(self) -> float:
        """Upper end. Raises ValueError where there was only one trial."""
        return self._end(1)

    def _end(self, which: int) -> float:
        end = self.ends[which]
        if end is None:
            raise ValueError(f"One trial of {self.metric} has no interval: ask for repeats=2 or more.")
        return end

    def __repr__(self) -> str:
        low, high = self.ends
        interval = "" if low is None or high is None else f" ({low:.6g} to {high:.6g})"
        return f"<{self.metric} {self.point:.6g}{interval}>"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell: ``settings`` (axis path → label), number of good ``trials``, ``doubts`` (kind, text …)."""

    settings: Mapping[str, Any]
    trials: int
    metrics: Mapping[str, Estimate] = field(repr=False)
    doubts: Sequence[Mapping[str, str]] = field(repr=False)

    def __getitem__(self, metric: str) -> Estimate:
        if metric not in self.metrics:
            raise KeyError(f"{metric}: not measured. There are {', '.join(self.metrics)}")
        return self.metrics[metric]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a scenario came to. ``gates``: ``pass``, ``fail`` or ``undecided``; ``run``: the run's folder."""

    cells: Sequence[Cell]
    gates: str
    run: Path

    def __getitem__(self, metric: str) -> Estimate:
        """The metric of the only cell."""
        return self.cell()[metric]

    def cell(self, **labels: Any) -> Cell:
        """The only cell with these labels: ``cell(pool="gevent", prefetch=4)``. An axis is called by the last
        step of its path, or by all of it. Raises KeyError where there is none, or several.
        """
        found = [cell for cell in self.cells if labels.items() <= _named(cell.settings).items()]
        if len(found) == 1:
            return found[0]
        known = "; ".join(", ".join(f"{k}={v!r}" for k, v in _short(c.settings).items()) for c in self.cells)
        if not labels:
            raise KeyError(f"There are {len(found)} cells: name one with s.cell(...). Known: {known}")
        raise KeyError(f"{len(found) or 'no'} cells have {labels}. There are: {known}")


def _named(settings: Mapping[str, Any]) -> dict[str, Any]:
    """By the whole path, too, for two axes that end alike."""
    return {**settings, **_short(settings)}


def _short(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {path.rpartition(".")[2]: label for path, label in settings.items()}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("celery-bench").addoption(
        RESULTS, metavar="DIR", help="Keep runs of the fixture celery_bench here, not in pytest's own folder."
    )


@pytest.fixture(scope="session")
def celery_bench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Summary]:
    """Run a scenario (a file, the name of a shipped one, or a dict) on real workers and return its Summary.

    ``celery_bench(scenario, repeats=5, sets=["load.tasks=100"], only=["workers.pool=gevent"], broker=None,
    app=None, quick=False)``: as the options of ``celery-bench run``. Metrics are in seconds, bytes and per
    second. A trial that fails fails the test.
    """
    folder = tmp_path_factory.getbasetemp() / "celery-bench"
    kept = request.config.getoption(RESULTS)
    results = Path(kept).resolve() if kept else folder / "results"
    root = request.config.rootpath

    def measure(
        scenario: str | Path | Mapping[str, Any],
        *,
        repeats: int | None = None,
        sets: str | Sequence[str] = (),
        only: str | Sequence[str] = (),
        broker: str | None = None,
        app: str | None = None,
        quick: bool = False,
    ) -> Summary:
        file = _written(scenario, folder) if isinstance(scenario, Mapping) else str(scenario)
        words = ["--results", str(results), *(["--app", app] if app else [])]
        words += ["run", file, "--json", "--no-report", "--yes", *(["--quick"] if quick else [])]
        words += [f"--repeats={repeats}"] if repeats is not None else []
        words += [f"--broker={broker}"] if broker else []
        words += [f"--set={each}" for each in _listed(sets)] + [f"--only={each}" for each in _listed(only)]
        with _alone(tmp_path_factory.getbasetemp()):
            return _run(words, root, results)

    return measure


def _listed(words: str | Sequence[str]) -> Sequence[str]:
    return [words] if isinstance(words, str) else words


@contextmanager
def _alone(base: Path) -> Iterator[None]:
    """One measurement at a time, also among the processes of pytest-xdist."""
    import fcntl  # late: the plug-in is loaded on every platform

    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (shared / "celery-bench.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _written(scenario: Mapping[str, Any], folder: Path) -> str:
    """The dict as a scenario file, called after the test."""
    import yaml

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{_name(os.environ.get('PYTEST_CURRENT_TEST', ''))}.yaml"
    try:
        path.write_text(yaml.safe_dump(dict(scenario), sort_keys=False, allow_unicode=True), encoding="utf-8")
    except yaml.YAMLError as error:
        pytest.fail(f"The scenario is more than plain data: {error}", pytrace=False)
    return str(path)


def _name(running: str) -> str:
    """What a test's scenario is called: ``a.py::test_it[x.1] (call)`` → ``test_it-x.1``.

    No two cases of a test get the same: where more than the brackets had to be changed, it ends with a hash.
    """
    from hashlib import sha256

    test, bracket, case = running.rpartition(" (")[0].partition("::")[2].partition("[")
    test = test.rpartition("::")[2] or "scenario"
    whole = f"{test}-{case.removesuffix(']')}" if bracket else test
    plain = "".join(c if c.isalnum() or c in "_.-" else "-" for c in whole)
    name = plain.encode()[:LONGEST_NAME].decode(errors="ignore")
    return name if name == whole else f"{name}-{sha256(whole.encode()).hexdigest()[:6]}"


def _run(words: Sequence[str], root: Path, results: Path) -> Summary:
    """``celery-bench`` with these words, in the project's root; the test fails with what it says."""
    command = [sys.executable, "-P", "-m", "bench.cli", *words]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=root, env=_env(), stdout=pipe, stderr=pipe, text=True)
    try:
        out, err = process.communicate()
    except BaseException:  # Ctrl-C, a time limit: it stops its workers, then it ends
        process.terminate()
        try:
            process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
    if process.returncode not in GATES:
        pytest.fail(f"celery-bench ended with exit code {process.returncode}.\n{err}", pytrace=False)
    sys.stderr.write(err)  # pytest shows it where a test fails
    return _summary(json.loads(out), GATES[process.returncode], results)


def _env() -> dict[str, str]:
    """Where the tests import from, the workers do, too; but for places with a package that has our name."""
    known = {*sysconfig.get_paths().values()}
    places = [place for place in sys.path if place not in known and Path(place).is_dir()]
    ours = ("bench.py", "bench/__init__.py")
    places = [place for place in places if not any((Path(place) / each).exists() for each in ours)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(places)}


def _summary(data: Mapping[str, Any], gates: str, results: Path) -> Summary:
    cells = [
        Cell(
            settings=cell["settings"],
            trials=cell["trials"] - cell["failed_trials"],
            metrics={
                name: Estimate(metric=name, point=e["point"], ends=(e["lower"], e["upper"]))
                for name, e in cell["metrics"].items()
            },
            doubts=cell["doubts"],
        )
        for cell in data["cells"]
    ]
    return Summary(cells=cells, gates=gates, run=results / data["run"])
