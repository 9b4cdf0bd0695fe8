"""The folder ``results/``: runs are made, appended to trial by trial, and read back. docs/results.md is the
contract.

A trial is listed once its line stands in ``trials.jsonl``, and the line is written after the trial's other
files have reached the disk: whatever is listed is whole. pandas is imported only where a frame is read or
written, ``list`` does without.
"""

import difflib
import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import disk
from bench.errors import EnvironmentFault, UsageError
from bench.jsonable import from_plain, plain
from bench.measured import TrialResult
from bench.model import FORMAT, Scenario
from bench.units import hide_password

if TYPE_CHECKING:
    import pandas as pd

    from bench.events import Recording

LATEST = "latest"
LONGEST_NAME = 200
"""Bytes of a run's name: a folder's has 255 at most, and reports put words before it."""
_META, LINES, _TRIALS, _LOCK = "run.json", "trials.jsonl", "trials", ".lock"


class Run:
    """One run's folder. Reading looks at the disk each time, so a run that is still growing can be
    followed.
    """

    def __init__(self, path: Path) -> None:
        """Raises UsageError where ``path`` holds no run, or one of another format."""
        self.path = path
        self.meta: Mapping[str, Any] = _read_meta(path)

    @property
    def name(self) -> str:
        """The folder's name: a run that was moved or renamed answers to its new one."""
        return self.path.resolve().name

    @property
    def quick(self) -> bool:
        return bool(self.meta.get("quick", False))

    @cached_property
    def scenarios(self) -> tuple[Scenario, ...]:
        return tuple(from_plain(data) for data in self.meta["scenarios"])

    @property
    def planned(self) -> int:
        """How many trials its scenarios ask for; a search asks for those of its confirmation only."""
        asked = self.scenarios[1:] if "tune" in self.meta else self.scenarios
        return sum(len(scenario.cells) * scenario.repeats for scenario in asked)

    def results(self) -> list[TrialResult]:
        """Every finished trial in the order they ran; of a trial that was run again, the later one.

        A torn last line is left out. Raises UsageError for another format or a line that cannot be read.
        """
        path = self.path / LINES
        with disk.refusals(path):
            raw = path.read_bytes() if path.exists() else b""
        whole = raw[: _whole(raw)].split(b"\n")[:-1]
        found = (_read_line(line, f"{path}:{number}") for number, line in enumerate(whole, 1))
        return list({r.trial: r for r in found}.values())

    def add(self, scenario: Scenario) -> None:
        """Write one more scenario into run.json, for trials that were not planned when the run began."""
        self.meta = {**self.meta, "scenarios": [*self.meta["scenarios"], plain(scenario)]}
        self.__dict__.pop("scenarios", None)
        with disk.refusals(self.path):
            _write_meta(self.path, self.meta)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """While a session adds trials no other may: UsageError when one does. Ends with the process."""
        with disk.refusals(self.path):
            lock = (self.path / _LOCK).open("w")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(
                    f"{self.name} is still being measured by another celery-bench",
                    "Wait for it to end, or stop it; then --resume runs what is missing.",
                ) from None
            yield

    def discard_if_empty(self) -> None:
        """Remove the folder of a run in which nothing was measured."""
        lines = self.path / LINES
        if not lines.exists() or lines.stat().st_size == 0:
            shutil.rmtree(self.path, ignore_errors=True)

    def append(self, result: TrialResult, recording: "Recording") -> None:
        """Keep a finished trial: its files first, then its line, each fsynced.

        Raises EnvironmentFault where the folder cannot be written or the disk is full; what was
        stored before stays readable and the half-written trial is not listed.
        """
        final = self.path / _TRIALS / result.trial
        part = final.with_name(final.name + ".part")
        with disk.refusals(self.path):
            try:
                _write_trial(part, recording, keep_logs=not result.ok)
                shutil.rmtree(final, ignore_errors=True)
                part.rename(final)
                disk.fsync_folder(final.parent)
                self._append_line(_line(result))
            finally:
                shutil.rmtree(part, ignore_errors=True)

    def _append_line(self, line: bytes) -> None:
        with (self.path / LINES).open("a+b", buffering=0) as file:
            file.seek(0)
            end = _whole(file.read())
            file.truncate(end)
            try:
                if file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                raise

    def events(self, trial: str) -> "pd.DataFrame":
        """The events of the trial with this id, sorted by time; columns as in docs/results.md."""
        return self._frame(trial, "events")

    def samples(self, trial: str) -> "pd.DataFrame":
        """The samples of the trial with this id; columns as in docs/results.md."""
        return self._frame(trial, "samples")

    def _frame(self, trial: str, what: str) -> "pd.DataFrame":
        import pandas as pd  # late: 0.4 s that `list` need not pay

        path = self.path / _TRIALS / trial / f"{what}.parquet"
        if not path.is_file():
            raise UsageError(f"{path} is missing", "The trial was never finished, or its folder was removed.")
        with disk.refusals(path):
            try:
                return pd.read_parquet(path)
            except ValueError as error:  # pyarrow's ArrowInvalid is one
                raise UsageError(
                    f"{path} is damaged: {str(error).splitlines()[0]}",
                    "Remove the trial's folder and its line in trials.jsonl: --resume measures it again.",
                ) from None


def create(root: Path, name: str | None, meta: Mapping[str, Any]) -> Run:
    """A new run folder under ``root`` with its run.json; ``format`` and ``run`` are added to ``meta``.

    Without a name it is called after its time and scenarios, ``2026-11-20-2115-quickstart``, with ``-2``
    and so on where that is taken. Raises UsageError for a name that is taken or is no folder name,
    EnvironmentFault for a folder that cannot be written.
    """
    if name is not None:
        check_name(name)
    with disk.refusals(root):
        root.mkdir(parents=True, exist_ok=True)
        path = _claim(root, name) if name is not None else _claim_free(root, _default_name(meta))
        try:
            (path / _TRIALS).mkdir()
            _write_meta(path, {"format": FORMAT, "run": path.name, **meta})
        except OSError:
            shutil.rmtree(path, ignore_errors=True)
            raise
        disk.fsync_folder(root)
    return Run(path)


def check_name(name: str) -> None:
    """Raises UsageError for a name that is no folder's, or leads elsewhere."""
    odd = name in ("", LATEST) or name.startswith((".", "-")) or "/" in name or not name.isprintable()
    if odd or len(name.encode()) > LONGEST_NAME:
        raise UsageError(f"{name[:80]!r} cannot be a name", "Use a plain folder name.")


def open_run(root: Path, ref: str) -> Run:
    """The run called ``ref`` under ``root``, at the path ``ref``, or the newest for "latest".

    Raises UsageError where there is none (with the nearest names), or where its format is not ours.
    """
    if ref == LATEST and not (root / LATEST / _META).exists():
        runs = list_runs(root)
        if not runs:
            raise UsageError(f"there are no runs in {root}", "Start one with: celery-bench run quickstart")
        return runs[-1]
    for path in (root / ref, Path(ref)):
        if (path / _META).is_file():
            return Run(path)
    names = [run.name for run in list_runs(root)]
    near = difflib.get_close_matches(ref, names, n=3)
    hint = f"Did you mean {' or '.join(near)}?" if near else "celery-bench list shows the runs there are."
    raise UsageError(f"there is no run {ref!r} in {root}", hint)


def list_runs(root: Path) -> list[Run]:
    """Every readable run under ``root``, oldest first. Folders that hold none (foreign, half-made, another
    format) are passed over.
    """
    runs = []
    for meta in root.glob(f"*/{_META}"):
        try:
            runs.append(Run(meta.parent))
        except (UsageError, EnvironmentFault):
            continue
    return sorted(runs, key=lambda run: (created(run.meta), run.name))


def passed_over(root: Path, runs: Sequence[Run]) -> int:
    """How many runs under ``root`` there are besides the readable ``runs``."""
    return sum(1 for _ in root.glob(f"*/{_META}")) - len(runs)


def created(meta: Mapping[str, Any]) -> datetime:
    """When a run with this run.json began; long ago where it does not say."""
    try:
        return datetime.fromisoformat(meta["created"]).astimezone()
    except (KeyError, TypeError, ValueError):
        return datetime.fromtimestamp(0).astimezone()


def _default_name(meta: Mapping[str, Any]) -> str:
    began = created(meta) if "created" in meta else datetime.now()
    names = [str(scenario["name"]) for scenario in meta.get("scenarios", ())] or ["run"]
    more = [f"{len(names) - 2}-more"] if len(names) > 2 else []
    return "-".join([f"{began:%Y-%m-%d-%H%M}", *names[:2], *more]).replace("/", "-")


def _claim(root: Path, name: str) -> Path:
    try:
        (root / name).mkdir()
    except FileExistsError:
        hint = f"Choose another name, or go on with it: --resume {name}"
        raise UsageError(f"a run called {name!r} exists already in {root}", hint) from None
    return root / name


def _claim_free(root: Path, name: str) -> Path:
    number = 1
    while True:
        path = root / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return path


def _read_meta(path: Path) -> Mapping[str, Any]:
    file = path / _META
    if not file.is_file():
        raise UsageError(f"{path} holds no run", "A run's folder has a run.json.")
    with disk.refusals(file):
        raw = file.read_bytes()
    try:
        meta = json.loads(raw)
        version = meta["format"]
        if version == FORMAT:
            int(meta["seed"]), [from_plain(data) for data in meta["scenarios"]]
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            f"{file} cannot be read", "It is damaged, or was not written by celery-bench."
        ) from None
    _check_format(version, file)
    return dict(meta)


def _check_format(version: object, where: object) -> None:
    if version != FORMAT:
        raise UsageError(
            f"{where} has format {version}, this celery-bench reads format {FORMAT}",
            "Use the version of celery-bench that wrote it, or run the scenario again.",
        )


def _write_meta(path: Path, meta: Mapping[str, Any]) -> None:
    part = path / f".{_META}.part"
    disk.write(part, json.dumps(disk.jsonable(meta), indent=1, allow_nan=False, ensure_ascii=False))
    part.rename(path / _META)
    disk.fsync_folder(path)


def _read_line(line: bytes, where: str) -> TrialResult:
    try:
        data = json.loads(line, parse_constant=_no_number)
        version = data.pop("format")
    except (ValueError, KeyError, AttributeError, TypeError):
        raise UsageError(
            f"{where} cannot be read: it is not a finished trial's line",
            "Delete this line; every other line stands for itself.",
        ) from None
    _check_format(version, where)
    known = {f.name for f in fields(TrialResult)}
    data = {key: tuple(v) if isinstance(v, list) else v for key, v in data.items() if key in known}
    try:
        return TrialResult(**data)
    except TypeError as error:
        raise UsageError(f"{where} cannot be read: {error}", "Delete this line.") from None


def _no_number(text: str) -> None:
    """NaN and infinity, which we never write."""
    raise ValueError(text)


def _line(result: TrialResult) -> bytes:
    data = disk.jsonable({"format": FORMAT, **asdict(result)})
    return json.dumps(data, allow_nan=False, ensure_ascii=False).encode(errors="replace") + b"\n"


def _whole(raw: bytes) -> int:
    """Length of the leading whole lines of ``raw``."""
    return raw.rfind(b"\n") + 1


def _write_trial(folder: Path, recording: "Recording", *, keep_logs: bool) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("events", "samples"):
        frame: pd.DataFrame = getattr(recording, name)
        path = folder / f"{name}.parquet"
        frame.sort_values("t_ns", kind="stable").to_parquet(path, compression="zstd", index=False)
        disk.fsync(path)
    logs = dict(recording.logs) if keep_logs else {}
    if recording.errors:
        told = (f"{e['task']}: {e['traceback'] or e['error']}".rstrip() for e in recording.errors)
        logs["errors.log"] = "\n\n".join(told) + "\n"
    for name, text in logs.items():
        file = Path(name).name
        disk.write(folder / (file if file.endswith(".log") else f"{file}.log"), hide_password(text))
    disk.fsync_folder(folder)
