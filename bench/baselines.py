"""Baselines: the numbers of a run kept under a name, in ``results/baselines/``, to be committed.

A baseline is a run folder without events and samples. It stands for the machine and the versions it was
measured with, and for no others.
"""

import shutil
from pathlib import Path

from bench import disk, store
from bench.errors import UsageError
from bench.store import Run

FOLDER = "baselines"


def save(run: Run, results: Path, name: str, *, replace: bool = False) -> Run:
    """Keep the numbers of ``run`` as the baseline ``name``.

    Raises UsageError for a run without a good trial, one that was quick, or a name that is taken (unless
    ``replace``).
    """
    if run.quick:
        raise UsageError(
            f"{run.name} was a quick run.", "A baseline needs whole trials: run it without --quick."
        )
    if not any(result.ok for result in run.results()):
        raise UsageError(f"{run.name} has no trial that went well.", "Save another run.")
    target = results / FOLDER / name
    if target.is_dir() and not replace:
        raise UsageError(f"There is a baseline {name!r} already.", "Choose another name, or say --replace.")
    with disk.refusals(results):
        shutil.rmtree(target, ignore_errors=True)
        kept = store.create(results / FOLDER, name, {**run.meta, "baseline_of": run.name})
        shutil.copyfile(run.path / store.LINES, kept.path / store.LINES)
    return kept


def find(results: Path, ref: str) -> Run:
    """The baseline of this name, or at this path. Raises UsageError where there is none."""
    path = Path(ref)
    try:
        return store.open_run(results / FOLDER, str(path.resolve()) if path.is_dir() else ref)
    except UsageError as error:
        hint = error.hint if error.hint.startswith("Did you mean") else ""
        told = hint or "celery-bench baseline list shows those there are."
        raise UsageError(f"There is no baseline {ref!r} in {results / FOLDER}.", told) from None


def known(results: Path) -> list[Run]:
    """All baselines, oldest first."""
    return store.list_runs(results / FOLDER)
