"""The environments that variants name, built once into a cache: interpreter, packages, the app's source.

``$XDG_CACHE_HOME/celery-bench/`` (``~/.cache`` by default) holds ``environments/HASH``, made with uv from
exactly the packages that the requirements come to, and ``sources/HASH``, commits of git repositories. A
folder is whole when ``READY`` lies in it. Deleting any of it costs the time to build it again.
"""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import EnvironmentFault
from bench.model import Variant

ALWAYS = ("celery[redis]", "gevent", "eventlet", "msgpack", "SQLAlchemy")
"""What every fresh environment has: Celery, its way to the broker, its pools, and what `serializer: msgpack`
and `results: sql` need, as they need nothing more where the harness itself is installed."""
READY = ".ready"
LEAST_PYTHON = (3, 11)
"""The worker's door needs ``python -P``."""
PATIENCE_S = 600.0
LOG_LINES = 30

PROBE = """
import json, platform, sys
found = {"python": platform.python_version()}
if sys.version_info >= (3, 11):
    from importlib.metadata import version
    import celery, kombu
    found |= {name: version(name) for name in ("celery", "kombu")}
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where workers and loader run: the interpreter ``python``, the current ``folder`` (None: ours), what is
    set in their ``env`` besides, and the ``versions`` found there.
    """

    python: str = sys.executable
    folder: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def silent(_: str) -> None:
    """Tell nobody."""


_found: dict[Variant, Environment] = {}


def of(variant: Variant, tell: Callable[[str], None] = silent) -> Environment:
    """The variant's environment, built now if it is not there yet; ``tell`` hears what takes long.

    Raises EnvironmentFault with the log of what went wrong.
    """
    if variant not in _found:
        _found[variant] = _built(variant, tell)
    return _found[variant]


def _built(variant: Variant, tell: Callable[[str], None]) -> Environment:
    if variant.is_here:
        return Environment()
    folder = _source(variant) if variant.source else None
    if variant.requirements:
        python = _fresh(variant.requirements, tell)
    elif variant.python:
        python = variant.python
    else:
        return Environment(folder=folder)
    return Environment(
        python=python,
        folder=folder,
        env={"PYTHONPATH": str(_workloads())},
        versions=_probe(python),
    )


def _fresh(requirements: Sequence[str], tell: Callable[[str], None]) -> str:
    """The interpreter of an environment with what these requirements come to today."""
    name = ", ".join(requirements)
    lines = "\n".join([*requirements, *ALWAYS])
    asked = ["pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python", sys.executable, "-"]
    locked = _uv(asked, f"{name} cannot be resolved", lines)
    target = _cache() / "environments" / _hash(locked, sys.version, platform.platform())
    python = target / "bin" / "python"
    with _made_once(target) as missing:
        if missing:
            tell(f"building an environment with {name}")
            _uv(["venv", "--quiet", "--python", sys.executable, str(target)], "no environment can be made")
            into = ["pip", "install", "--quiet", "--python", str(python), "--requirement", "-"]
            _uv(into, f"{name} cannot be installed", locked)
            (target / "requirements.txt").write_text(locked)
    return str(python)


def _source(variant: Variant) -> str:
    """The folder with the app's source: the one that is named, or its content at a revision."""
    place = Path(variant.source)
    if not place.is_dir():
        raise EnvironmentFault(f"There is no folder {place}.", "`source` is where the app is imported from.")
    if not variant.revision:
        return str(place)
    revision = f"{variant.revision}^{{commit}}"
    what = f"{variant.revision} is no revision of {place}"
    if _run(["git", "-C", str(place), "rev-parse", "--is-shallow-repository"], what).strip() == "true":
        what += ", which is a shallow clone: fetch all of it (actions/checkout: fetch-depth: 0)"
    commit = _run(["git", "-C", str(place), "rev-parse", "--verify", revision], what).strip()
    prefix = _run(["git", "-C", str(place), "rev-parse", "--show-prefix"], what).strip()
    target = _cache() / "sources" / _hash(commit, prefix)
    with _made_once(target) as missing:
        if missing:
            target.mkdir(parents=True)
            archive = target / ".tar"
            _run(["git", "-C", str(place), "archive", "--output", str(archive), commit], what)
            shutil.unpack_archive(archive, target, "tar", filter="data")
            archive.unlink()
    return str(target)


def _workloads() -> Path:
    """A folder from which ``bench.workloads`` can be imported, and nothing else of ours."""
    from bench import workloads

    theirs = Path(next(iter(workloads.__path__))).resolve()
    target = _cache() / "workloads" / _hash(str(theirs))
    with _made_once(target) as missing:
        if missing:
            package = target / "bench"
            package.mkdir(parents=True)
            (package / "__init__.py").touch()
            (package / "workloads").symlink_to(theirs)
    return target


def _probe(python: str) -> dict[str, str]:
    """Versions in this environment. Raises EnvironmentFault where a worker cannot run in it."""
    what = f"{python} cannot run Celery"
    said = _run([python, "-c", PROBE], what)
    try:
        found: dict[str, str] = json.loads(said)
    except ValueError:
        raise EnvironmentFault(f"{python} is no Python.", "Name the interpreter of an environment.") from None
    if tuple(map(int, found["python"].split(".")[:2])) < LEAST_PYTHON:
        least = ".".join(map(str, LEAST_PYTHON))
        raise EnvironmentFault(f"{python} is Python {found['python']}.", f"Workers need {least} or later.")
    return found


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "celery-bench"


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


@contextmanager
def _made_once(target: Path) -> Iterator[bool]:
    """Whether ``target`` must be made; locked meanwhile, and whole once the block ends without an error."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (target.parent / f"{target.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            missing = not (target / READY).exists()
            if missing:
                shutil.rmtree(target, ignore_errors=True)
            yield missing
            if missing:
                (target / READY).touch()
    except OSError as error:
        raise EnvironmentFault(
            f"The environment cannot be kept in {target.parent}: {error.strerror or error}.",
            "Make room, or name another folder: XDG_CACHE_HOME=…",
        ) from error


AS_PIP = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_CERT": "SSL_CERT_FILE",
}
"""What tells pip where packages are tells uv, too."""


def _uv(arguments: Sequence[str], what: str, text: str = "") -> str:
    import uv

    told = {ours: os.environ[theirs] for theirs, ours in AS_PIP.items() if os.environ.get(theirs)}
    return _run([uv.find_uv_bin(), *arguments], what, text, {**told, **os.environ})


def _run(command: Sequence[str], what: str, text: str = "", env: Mapping[str, str] | None = None) -> str:
    """What the command prints. Raises EnvironmentFault: ``what`` is wrong, and the end of its log."""
    try:
        done = subprocess.run(
            command, input=text, env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFault(f"{what}: {error}", "Mend the variant in the scenario.") from None
    if done.returncode:
        log = "\n".join(done.stderr.strip().splitlines()[-LOG_LINES:])
        raise EnvironmentFault(f"{what}:", log or "It said nothing more.")
    return done.stdout
