"""A report's folder: made beside its place and moved there when it is whole."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import disk
from bench.errors import EnvironmentFault


def write(root: Path, name: str, fill: Callable[[Path], None]) -> Path:
    """Make ``root/name/`` anew and return its ``index.html``. ``fill`` writes the files into a folder.

    A failure leaves the old folder as it was. Raises EnvironmentFault where nothing can be written, or where
    there is something else than a report.
    """
    target = root / name
    try:
        _check(target)
        root.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=root))
        try:
            work.chmod(0o755)
            fill(work)
            disk.put(work, target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise EnvironmentFault(
            f"the report cannot be written to {target}: {error.strerror or error}",
            "Name a folder that can be written with --reports. The results are safe.",
        ) from error
    return target / "index.html"


def _check(target: Path) -> None:
    """Only a report, or an empty folder, may be replaced."""
    if not target.exists() or (target / "index.html").is_file():
        return
    if not target.is_dir() or any(target.iterdir()):
        raise EnvironmentFault(
            f"{target} is no report of celery-bench",
            "Move it away, or name another folder with --reports. The results are safe.",
        )
