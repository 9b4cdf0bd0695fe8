"""Baselines: the numbers of a run kept under a name, in ``results/baselines/``, to be committed.

A baseline is a run folder without events and samples. It stands for the machine and the versions it was
measured with, and for no others.
"""

import shutil
import tempfile
from pathlib import Path

from bench import disk, store
from bench.errors import UsageError
from bench.store import Run

FOLDER = "baselines"
BASELINE_OF = "baseline_of"
"""In run.json of a baseline: the run whose numbers it keeps."""


def save(run: Run, results: Path, name: str, *, replace: bool = False) -> Run:
    """Keep the numbers of ``run`` as the baseline ``name``.

    Raises UsageError for a run without a good trial, one that was quick, a name that is no folder's, or one
    that is taken (unless ``replace``: then the old numbers are there until the new ones are).
    """
    if run.quick:
        raise UsageError(
            f"{run.name} was a quick run.", "A baseline needs whole trials: run it without --quick."
        )
    if not any(result.ok for result in run.results()):
        raise UsageError(f"{run.name} has no trial that went well.", "Save another run.")
    store.check_name(name)
    home = results / FOLDER
    if (home / name).exists() and not replace:
        raise UsageError(f"There is a baseline {name!r} already.", "Choose another name, or say --replace.")
    with disk.refusals(home):
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=home) as work:
            kept = store.create(Path(work), name, {**run.meta, BASELINE_OF: run.name})
            shutil.copyfile(run.path / store.LINES, kept.path / store.LINES)
            disk.put(kept.path, home / name)
    return find(results, name)


def find(results: Path, ref: str) -> Run:
    """The baseline of this name, or at this path. Raises UsageError where there is none."""
    home, path = results / FOLDER, Path(ref)
    elsewhere = path.is_dir() and not (home / ref).is_dir()
    try:
        return store.open_run(home, str(path.resolve()) if elsewhere else ref)
    except UsageError as error:
        hint = error.hint if error.hint.startswith("Did you mean") else ""
        told = hint or "celery-bench baseline list shows those there are."
        raise UsageError(f"There is no baseline {ref!r} in {home}.", told) from None


def known(results: Path) -> list[Run]:
    """All baselines, oldest first."""
    return store.list_runs(results / FOLDER)
