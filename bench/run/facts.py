"""What ``celery-bench doctor`` finds on a machine before a session; takes about two seconds."""

import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench import model
from bench.errors import EnvironmentFault
from bench.run import host
from bench.run.broker import server_binary
from bench.run.neighbours import Busy, Usage, busiest, others, stolen, usage
from bench.units import format_duration, format_size, plural

NEIGHBOURS_S = 0.5
NAMED = 3
SPINNING_S = 1.0
CPUS = Path("/sys/devices/system/cpu")
PR_GET_PDEATHSIG = 2
VERSION_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder that a session writes to: free space (bytes), its file system, and what writing to it said
    (empty: it works).
    """

    path: str
    free: int
    kind: str
    refusal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The machine now. ``spins``: the reference spin again and again (s); ``busy``: cores used by processes
    that are not ours; ``steal``: share of our cores' time; ``turbo``: None where it cannot be read.
    ``brokers``: kind → (version or path, why it cannot be started). Sizes in bytes.
    """

    parent_death_signal: bool
    host: Mapping[str, object]
    versions: Mapping[str, str]
    cores: int
    quota_cores: float | None
    memory_free: int
    swap_used: int
    governors: tuple[str, ...]
    turbo: bool | None
    busy: float
    busiest: tuple[Busy, ...]
    steal: float
    spins: tuple[float, ...]
    temporary: Folder
    results: Folder
    open_files: int
    brokers: Mapping[str, tuple[str, str]]

    @property
    def spread(self) -> float:
        """By how much the slowest spin took longer than the fastest; 0.1 is 10 %."""
        return max(self.spins) / min(self.spins) - 1


def find(results: Path) -> Facts:
    """Look at this machine, a Linux; ``results`` is where the session would be kept. Leaves nothing."""
    import psutil

    machine = host.fingerprint()
    before = _usage()
    time.sleep(NEIGHBOURS_S)
    after = _usage()
    return Facts(
        parent_death_signal=_parent_death_signal(),
        host=machine,
        versions=host.versions(),
        cores=machine["cores"],
        quota_cores=machine["quota_cores"],
        memory_free=psutil.virtual_memory().available,
        swap_used=psutil.swap_memory().used,
        governors=_governors(),
        turbo=_turbo(),
        busy=others(before, after),
        busiest=tuple(busiest(before, after, NAMED)),
        steal=stolen(before, after, machine["cores"]),
        spins=_spins(),
        temporary=_folder(Path(tempfile.gettempdir())),
        results=_folder(results),
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        brokers={kind: _broker(kind) for kind in model.BROKERS},
    )


def in_words(f: Facts) -> dict[str, str]:
    """The facts, a line each, as ``celery-bench doctor`` prints them."""
    quota = "" if f.quota_cores is None else f", a quota of {f.quota_cores:g}"
    clock = [f"governor {'/'.join(f.governors)}"] if f.governors else []
    clock += [f"turbo {'on' if f.turbo else 'off'}"] if f.turbo is not None else []
    spins = f"reference spin {format_duration(min(f.spins))}, within {f.spread * 100:.1f} % for a second"
    swapped = f"{format_size(f.swap_used)} in swap" if f.swap_used else "nothing in swap"
    have = {name: f.versions[name] for name in ("celery", "kombu", "celery-bench") if name in f.versions}
    green = [f"{pool} {f.versions[pool]}" for pool in model.GREEN_POOLS if pool in f.versions]
    signals = "parent-death signals" if f.parent_death_signal else "no parent-death signals"
    return {
        "cpu": f"{f.host['cpu']}, {plural(f.cores, 'core')}{quota}",
        "speed": ", ".join([spins, *clock]),
        "neighbours": f"others use {f.busy:.1f} cores, steal {f.steal * 100:.1f} %",
        "memory": f"{format_size(f.memory_free)} free, {swapped}",
        "results": _folder_in_words(f.results),
        "temporary": _folder_in_words(f.temporary),
        "limits": f"{f.open_files} open files, {signals}",
        "brokers": ", ".join(f"{k} {found}" if found else f"no {k}" for k, (found, _) in f.brokers.items()),
        "pools": ", ".join([*(p for p in model.POOLS if p not in model.GREEN_POOLS), *green]),
        "software": ", ".join(f"{name} {version}" for name, version in have.items()),
        "system": f"Linux {f.host['kernel']}, Python {f.host['python']}, {f.host['machine']}",
    }


def _folder_in_words(folder: Folder) -> str:
    return f"{folder.path}, {format_size(folder.free)} free{f' on {folder.kind}' if folder.kind else ''}"


def _usage() -> Usage:
    """With the steal of the cores we may use, not of all that the host has."""
    from bench.run import probe

    return replace(usage(), steal=probe.system().steal)


def _spins() -> tuple[float, ...]:
    end = time.monotonic() + SPINNING_S
    found = [host.spin()]
    while time.monotonic() < end:
        found.append(host.spin())
    return tuple(found)


def _parent_death_signal() -> bool:
    """Whether the kernel has them (``man 2 prctl``): workers then end with the harness, also on kill -9."""
    import ctypes

    signal = ctypes.c_int()
    return bool(ctypes.CDLL(None).prctl(PR_GET_PDEATHSIG, ctypes.byref(signal)) == 0)


def _governors(cpus: Path = CPUS) -> tuple[str, ...]:
    """The frequency governors in use; none where the system does not show them, as in most virtual ones."""
    found = {
        path.read_text().strip() for path in cpus.glob("cpu[0-9]*/cpufreq/scaling_governor") if path.is_file()
    }
    return tuple(sorted(found))


def _turbo(cpus: Path = CPUS) -> bool | None:
    """Whether cores may run faster while others rest; None where it cannot be read."""
    for name, on in (("intel_pstate/no_turbo", "0"), ("cpufreq/boost", "1")):
        if (cpus / name).is_file():
            return (cpus / name).read_text().strip() == on
    return None


def _folder(path: Path) -> Folder:
    """The folder, or the nearest one above it that is there, since the session makes the rest."""
    path = path.absolute()
    refusal, there = "", Path("/")
    for place in (path, *path.parents):
        try:
            if place.exists():
                there = place
                break
        except OSError as error:  # below a folder that we may not look into
            refusal = error.strerror or str(error)
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        refusal = refusal or error.strerror or str(error)
    disk = os.statvfs(there)
    return Folder(
        path=str(path), free=disk.f_bavail * disk.f_frsize, kind=_file_system(there), refusal=refusal
    )


def _file_system(path: Path) -> str:
    """Its type in /proc/mounts: ``ext4``, ``nfs4``; empty where that cannot be told."""
    try:
        lines = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return ""
    place = path.resolve()
    mounts = [(Path(words[1]), words[2]) for line in lines if len(words := line.split()) > 2]
    fitting = [(len(at.parts), kind) for at, kind in mounts if place.is_relative_to(at)]
    return max(fitting, key=lambda found: found[0])[1] if fitting else ""


def _broker(kind: str) -> tuple[str, str]:
    """Its version (its path for RabbitMQ, which takes seconds to ask), and why it cannot be started."""
    try:
        binary = server_binary(kind)
    except EnvironmentFault as fault:
        return "", fault.message.rstrip(".")
    if kind == "rabbitmq":
        return binary, ""
    try:
        said = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=VERSION_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return "", f"{binary} does not run: {error}"
    return next((word[2:] for word in said.split() if word.startswith("v=")), binary), ""
