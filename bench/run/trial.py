"""One trial: broker → fleet → warm-up → load → drain → collect."""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench.events import Recording, no_samples
from bench.model import Broker, Trial
from bench.run import conf, environments, errorlog, saturate
from bench.run import fleet as fleets
from bench.run import publisher as publishers
from bench.run.broker import Brokers, RunningBroker
from bench.run.follow import Follower, Others, collect
from bench.run.keeper import Keeper, kill_detached
from bench.run.probe import Probe
from bench.run.process import clean_environment, users_environment
from bench.run.userapp import SHIPPED

RESULT_SERVER = Broker(kind="valkey", name="results")
"""A second Valkey, for `results: server`."""
POLL_S = 0.05
SAMPLE_S = 0.2

Tick = Callable[[str, int, int, float, int, float], None]
"""phase (boot, warm-up, load), completed, published, rate (1/s), backlog, CPU (cores)."""


class TrialFailed(Exception):
    """This trial is over, the session is not. The text is the reason."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a session lends to each of its trials."""

    brokers: Brokers
    keeper: Keeper
    folder: Path
    env: Mapping[str, str]
    service_pids: tuple[int, ...]
    tick: Tick


def execute(trial: Trial, around: Surroundings) -> Recording:
    """Run one trial from nothing to nothing. A trial that goes wrong is a Recording that says why."""
    started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    begin = time.monotonic()
    folder = around.folder / trial.id
    folder.mkdir()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.callback(kill_detached, folder)
        try:
            course = Course(trial, around, folder, stack)
        except OSError as error:
            return Recording(started_at=started_at, outcome="failed", reason=f"could not start: {error}")
        outcome, reason = "ok", ""
        try:
            course.boot()
            course.warm_up()
            course.load()
        except TrialFailed as failure:
            outcome, reason = "failed", str(failure)
        course.probe_once_more()
        course.stop()
        logs = {**course.fleet.tails(), "loader": course.publisher.child.tail()} if reason else {}
        events = collect(folder, course.publisher.choice)
        timings = dict(course.timings)
        timings["overhead"] = time.monotonic() - begin - sum(timings.values())
        return Recording(
            events=events,
            samples=course.probe.frame() if course.probe else no_samples(),
            broker=course.broker_used,
            search=course.found,
            others=course.others,
            errors=errorlog.read(folder),
            started_at=started_at,
            outcome=outcome,
            reason=reason,
            log_tail="\n".join(f"[{name}] {text}" for name, text in logs.items() if text),
            effective=course.fleet.effective(),
            mismatches=course.fleet.mismatches(),
            timings=timings,
            logs=logs,
        )


class Course:
    """The stages of one trial, in order; everything it starts is stopped by ``stop`` or by the stack."""

    def __init__(self, trial: Trial, around: Surroundings, folder: Path, stack: ExitStack) -> None:
        self.setup = trial.cell.setup
        self.folder = folder
        self.seed = trial.seed
        self.around = around
        self.timings: dict[str, float] = {}
        self.probe: Probe | None = None
        self.broker_used: dict[str, float] = {}
        self.found: dict[str, Any] = {}
        self._mark = time.monotonic()
        self.broker = around.brokers.get(self.setup.broker, self.setup.app)
        self.results = self._results_of_app()
        self._stage("broker")
        tag = str(uuid4())[:24]
        queue = f"bench.{tag.rstrip('-')}"
        queues = conf.queue_names(self.setup, queue)
        self.queues = tuple(queues.values())
        self.others: dict[str, float] = {}
        warm_queues = [f"{queue}.warm{n}" for n in range(len(self.setup.groups))]
        self.broker.refuse_used([*queues.values(), *warm_queues])
        stack.callback(self._forget, [queue, *queues.values(), *warm_queues])
        environment = users_environment if self.setup.app else clean_environment
        place = fleets.Place(
            app=self.setup.app or SHIPPED,
            conf=conf.of_trial(self.setup, self.broker, self._backend(), queue, folder),
            added=conf.added(self.setup, self.broker, self.results),
            tag=tag,
            warm_queues=warm_queues,
            queues=queues,
            folder=folder,
            keeper=around.keeper,
            environment=environments.of(self.setup.variant),
            env=environment({**around.env, "TMPDIR": str(folder), "CELERY_BENCH_SEED": str(trial.seed)}),
        )
        self.fleet = fleets.start(self.setup, place)
        stack.callback(self.fleet.stop)
        self.publisher = publishers.start(self.setup, place, trial.seed)
        stack.callback(self.publisher.stop)
        self.follower = Follower(
            folder, self.setup.load.count, self.setup.workload, lambda: self.publisher.choice
        )
        stack.callback(self.follower.close)

    def _backend(self) -> str:
        """The URL of a server for results alone, where the scenario wants one."""
        if conf.results_kept(self.setup) != "server":
            return ""
        return self.around.brokers.get(RESULT_SERVER).url

    def _results_of_app(self) -> RunningBroker | None:
        """Where the app keeps its own results, where the scenario wants them there."""
        if conf.results_kept(self.setup) != "app":
            return None
        return self.around.brokers.results_of(self.setup.app)

    def boot(self) -> None:
        """Until every worker is ready and the loader has loaded the app."""
        limit = self.setup.limits.boot
        answered = False
        while not (self.fleet.ready() and answered):
            answered = answered or self.publisher.answer() is not None
            self._check()
            if time.monotonic() - self._mark > limit:
                late = [str(n.index) for n in self.fleet.nodes if not n.ready()]
                who = f"worker {', '.join(late)}" if late else "the loader"
                raise self._failure(f"{who} not ready after {limit:g} s")
            self.around.tick("boot", 0, 0, 0.0, 0, 0.0)
            time.sleep(0.02)
        self._stage("boot")

    def warm_up(self) -> None:
        """Until every node has executed its warm-up tasks: none is ready before it has executed something."""
        self.publisher.warm()
        wanted, seen, seen_at = None, 0, time.monotonic()
        while wanted is None or self.follower.warmed < wanted:
            answer = self.publisher.answer()
            wanted = answer["warmed"] if answer else wanted
            self._check()
            self.follower.poll()
            if self.follower.warmed > seen:
                seen, seen_at = self.follower.warmed, time.monotonic()
            self._check_stall(seen_at, "warm-up", seen, wanted or 0)
            self.around.tick("warm-up", seen, wanted or 0, 0.0, 0, 0.0)
            time.sleep(0.02)
        if self.setup.app:
            self.broker.clear(self.queues)  # what the warm-up's tasks have called is not the load
        self.follower.others = Others()
        self._stage("warmup")

    def load(self) -> None:
        """Publish and follow until every published task has ended."""
        self.probe = self._probe()
        self.probe.sample(memory=True)
        before = self.broker.stats()
        if self.setup.load.shape == "saturate":
            self.found = saturate.search(self)
        else:
            self.publisher.load()
            self.follow(len(self.publisher.choice))
        left = self._wait_for_others()
        self.others = self.follower.others.summary(left)
        self._stage("load")
        after = self.broker.stats()
        self.broker_used = {name: value - before.get(name, 0.0) for name, value in after.items()}

    def follow(self, planned: int, watch: Callable[[int], None] = lambda _backlog: None) -> int:
        """Until all that the loader was last told to publish has ended: how many tasks that were.

        ``planned`` is how many they should be. ``watch`` is told the backlog twenty times a second.
        """
        assert self.probe is not None
        start = sampled_at = progress_at = time.monotonic()
        already, ended, moved, loaded = self.follower.ended, 0, 0, None
        while loaded is None or ended < loaded:
            time.sleep(POLL_S)
            answer = self.publisher.answer() if loaded is None else None
            loaded = int(answer["loaded"]) if answer else loaded
            self._check()
            self.follower.poll()
            now = time.monotonic()
            ended = self.follower.ended - already
            backlog = self.follower.sent - self.follower.ended
            if self._moved() > moved or not self._outstanding():
                moved, progress_at = self._moved(), now
            self._check_stall(progress_at, "load", ended, planned)
            watch(backlog)
            if now - sampled_at >= SAMPLE_S:
                self.probe.sample(self.follower.ended, backlog)
                sampled_at = now
                rate = ended / (now - start)
                self.around.tick("load", ended, planned, rate, backlog, self.probe.cores_in_use())
        return loaded

    def _wait_for_others(self) -> int:
        """Until the tasks that the app's tasks have called have ended too; how many are left where none has
        ended for as long as a stall may last.
        """
        others, quiet = self.follower.others, False
        ended, since = -1, time.monotonic()
        while self.setup.app and time.monotonic() - since <= self.setup.limits.stall:
            self._check()
            left = sum(self.broker.depths(self.queues).values())
            self.follower.poll()
            left += others.outstanding
            if not left and (quiet or not others.received):
                return 0
            quiet = not left  # what was just taken from the queue is in neither number for a moment
            if others.ended > ended:
                ended, since = others.ended, time.monotonic()
            self.around.tick("load", self.follower.ended, self.follower.sent, 0.0, left, 0.0)
            time.sleep(POLL_S)
        return left if self.setup.app else 0

    def _moved(self) -> int:
        """Grows while the trial moves: tasks end, or return to their clients, or a flood fills the queue."""
        filled = self.follower.sent if self.setup.load.shape == "flood" else 0
        return self.follower.ended + self.follower.returned + filled

    def _outstanding(self) -> int:
        """Tasks that somebody waits for: the slots, or in a closed loop the clients."""
        closed = self.setup.load.shape == "closed"
        return self.follower.sent - (self.follower.returned if closed else self.follower.ended)

    def _probe(self) -> Probe:
        return Probe(
            {
                "workers": self.fleet.pids(),
                "broker": self.broker.pids(),
                "loader": [self.publisher.child.pid],
                "services": list(self.around.service_pids),
                "harness": [os.getpid()],
            }
        )

    def probe_once_more(self) -> None:
        """The last sample, while everything is still alive."""
        if self.probe:
            self.follower.poll()
            ended = self.follower.ended
            self.probe.sample(ended, self.follower.sent - ended, memory=True)

    def stop(self) -> None:
        """Everything has been written down: no reason to wait for a slow farewell."""
        self.fleet.stop()
        self.publisher.stop()

    def _check(self) -> None:
        trouble = self.fleet.trouble() or self.publisher.trouble() or self.follower.trouble
        if trouble or not self.broker.alive():
            raise self._failure(trouble)

    def _check_stall(self, since: float, phase: str, done: int, total: int) -> None:
        limit = self.setup.limits.stall
        if time.monotonic() - since > limit:
            stalled = f"stalled: no completion for {limit:g} s of the {phase}, {done} of {total} had ended"
            raise self._failure(". ".join(text for text in (stalled, self.fleet.complaint()) if text))

    def _failure(self, reason: str) -> TrialFailed:
        """A broker that is gone is the reason of whatever else was seen."""
        return TrialFailed(self.broker.trouble() or reason)

    def _stage(self, name: str) -> None:
        now = time.monotonic()
        self.timings[name] = now - self._mark
        self._mark = now

    def _forget(self, queues: list[str]) -> None:
        if self.broker.alive():
            self.broker.forget(
                queues, [f"{queues[0]}.pidbox", f"reply.{queues[0]}.pidbox", f"{queues[0]}.ev"]
            )
        if self.results is not None:
            self.results.forget([], [])
