"""For each trial of a plan: run it, store it, go on. Ctrl-C keeps what is finished."""

import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from bench import analyse
from bench.errors import EnvironmentFault, UsageError
from bench.jsonable import plain
from bench.measured import TrialResult
from bench.model import Scenario, Setup, Trial, Variant
from bench.run import apps, conf, environments, host, services
from bench.run import trial as trials
from bench.run.broker import Brokers, check
from bench.run.keeper import Keeper
from bench.run.services import Services
from bench.scenario import replay
from bench.scenario.checks import Checker
from bench.scenario.outside import AppError
from bench.store import Run
from bench.units import hide_password

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Progress(Protocol):
    """Who watches a session; see bench/report/terminal.py."""

    def session_started(self, total: int, done: int, estimate_s: float) -> None: ...
    def trial_started(self, trial: Trial, k: int) -> None: ...
    def tick(
        self, phase: str, completed: int, published: int, rate: float, backlog: int, cpu: float
    ) -> None: ...
    def trial_finished(self, trial: Trial, result: TrialResult) -> None: ...
    def session_finished(self, interrupted: bool) -> None: ...


def preflight(scenarios: Sequence[Scenario], tell: Callable[[str], None] = environments.silent) -> None:
    """Everything that can be known to be missing before a trial starts; environments are built.

    ``tell`` hears what takes long. Raises EnvironmentFault, and UsageError for an app that cannot be
    imported.
    """
    if sys.platform != "linux":
        raise EnvironmentFault(
            "celery-bench runs its trials on Linux only (parent-death signals, PSS).",
            "Run it in a Linux container or virtual machine.",
        )
    for load in dict.fromkeys(c.setup.load for s in scenarios for c in s.cells):
        if load.shape == "replay":
            replay.schedule(load)
    setups = [c.setup for s in scenarios for c in s.cells]
    for variant in dict.fromkeys(setup.variant for setup in setups):
        environments.of(variant, tell)
    for app in dict.fromkeys(setup.app for setup in setups if setup.app and setup.variant.is_here):
        _look(app)
    for setup in setups:
        if setup.app and not setup.variant.is_here:
            _look_elsewhere(setup)
    for broker, app in dict.fromkeys((s.broker, s.app if s.broker.of_app else "") for s in setups):
        check(broker, app)
    for app, variant, where in dict.fromkeys((s.app, s.variant, s.messages.results) for s in setups):
        if where == "app" or "://" in where:
            _check_results(app, variant, "" if where == "app" else where)
    services.check(iter(setups))


def _check_results(app: str, variant: Variant, url: str) -> None:
    """That results can be kept at the URL, or else where the app keeps its own."""
    trouble = apps.unreached(app, conf.results_at(url) if url else {}, variant)
    if trouble:
        where = f"at {hide_password(url)}" if url else f"where the app {app} keeps its own"
        why = hide_password(trouble.partition("\n")[0]).rstrip(".")
        raise EnvironmentFault(
            f"Results cannot be kept {where}: {why}.",
            "Start the server or correct `messages.results`; left out, results are kept for who needs them.",
        )


def _look_elsewhere(setup: Setup) -> None:
    """That an app in an environment of its own has the tasks and takes the arguments, as is checked of one
    that is here when the scenario is read.
    """
    checker = Checker(apps.outside(setup.variant))
    mistakes = [f"{'.'.join(map(str, m.path))}: {m.text}" for m in checker.check(setup)]
    if mistakes:
        variant = setup.variant
        place = f"{variant.source}@{variant.revision}".strip("@") or variant.python
        name = place or ", ".join(variant.requirements)
        told = "\n".join([f"In the variant {name}:", *mistakes])
        why = "\n".join(filter(None, checker.tracebacks.values()))
        raise EnvironmentFault(told, why or "Correct the scenario, or name another environment.")


def _look(app: str) -> None:
    """That the user's app can (still) be imported: a run that is resumed reads no scenario again."""
    try:
        apps.look(app)
    except AppError as error:
        raise UsageError(str(error), error.traceback) from None


def calibrate() -> float:
    """Iterations of ``cpu.spin`` in one millisecond here, idle."""
    from bench.workloads.cpu import calibrate as measure

    return float(measure())


def describe(
    scenarios: Sequence[Scenario], *, seed: int, quick: bool, command: Sequence[str]
) -> dict[str, Any]:
    """What ``run.json`` says of a new run: who asked what, on which machine, with which versions."""
    return {
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
        "seed": seed,
        "quick": quick,
        "command": hide_password(" ".join(command)),
        "scenarios": [plain(scenario) for scenario in scenarios],
        "revision": host.revision(),
        "host": host.fingerprint(),
        "versions": host.versions(),
        "calibration": {"spins_per_ms": calibrate()},
    }


def run(
    store: Run, plan: Iterable[Trial], progress: Progress, *, total: int, done: int, estimate_s: float
) -> bool:
    """Run and store every trial of the plan; False when interrupted (what is finished is kept).

    Raises EnvironmentFault when no trial can go on: no broker, disk full.
    """
    interrupted = False
    progress.session_started(total, done, estimate_s)
    try:
        with ExitStack() as stack:
            stack.enter_context(_stop_signals())
            keeper = stack.enter_context(Keeper())
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="celery-bench-")))
            keeper.add(folder)
            brokers = Brokers(keeper, folder, store.name)
            stack.callback(brokers.stop)
            served = Services(keeper, folder)
            stack.callback(served.stop)
            env = {"CELERY_BENCH_SPINS_PER_MS": repr(store.meta["calibration"]["spins_per_ms"])}
            for k, trial in enumerate(plan, start=done + 1):
                progress.trial_started(trial, k)
                around = trials.Surroundings(
                    brokers=brokers,
                    keeper=keeper,
                    folder=folder,
                    env=env | served.needed_by(trial),
                    service_pids=served.pids(),
                    tick=progress.tick,
                )
                before = host.read()
                recording = trials.execute(trial, around)
                after = host.read(neighbours=False)
                recording = replace(recording, host=host.between(before, after))
                result = analyse.result(trial, recording)
                with _undisturbed():
                    store.append(result, recording)
                progress.trial_finished(trial, result)
    except KeyboardInterrupt:
        interrupted = True
    progress.session_finished(interrupted)
    return not interrupted


@contextmanager
def _stop_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end a session like Ctrl-C does."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A stop signal waits until a finished trial is stored."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
