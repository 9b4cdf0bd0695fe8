"""The session as it runs: a live display on a terminal, plain lines anywhere else.

The display shares the machine with what is measured, so it redraws at most twice a second, from the
session's own ticks, and starts no thread.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench import measured, model, units
from bench.report import labels, searches

REDRAW_S = 0.5
HEARTBEAT_S = 10.0
ESTIMATE_WEIGHT = 3
"""The first estimate of the time counts as much as this many finished trials."""


class Progress(Protocol):
    """What a session tells whoever shows its progress."""

    def session_started(self, total: int, done: int, estimate_s: float) -> None: ...
    def trial_started(self, trial: model.Trial, k: int) -> None: ...
    def tick(
        self, phase: str, completed: int, published: int, rate: float, backlog: int, cpu: float
    ) -> None: ...
    def trial_finished(self, trial: model.Trial, result: measured.TrialResult) -> None: ...
    def session_finished(self, interrupted: bool) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def for_console(console: Console, budget_s: float | None = None) -> Progress:
    """The live display where there is a terminal that can redraw, otherwise plain lines. With a budget (s) a
    session may end before all of its trials have run, and lasts no longer.
    """
    redraws = console.is_terminal and not console.is_dumb_terminal
    progress = LiveProgress(console) if redraws else PlainProgress(console)
    progress.budget_s = budget_s
    return progress


class _Session:
    """Counts and clocks both displays need."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console
        self._clock = clock
        self.budget_s: float | None = None
        self.total = self.done = self.failed = self._finished_here = 0
        self._estimate_s = 0.0
        self._began = self._trial_began = clock()
        self.trial: model.Trial | None = None
        self.k = self._step = 0
        self._step_at = (0, 0)

    def session_started(self, total: int, done: int, estimate_s: float) -> None:
        """``total`` trials in the run, ``done`` of them earlier; the rest should take ``estimate_s``."""
        self.total, self.done, self._estimate_s = total, done, estimate_s
        self._began = self._clock()

    def trial_started(self, trial: model.Trial, k: int) -> None:
        """``trial`` begins; it is the ``k``-th of the run, counted from 1."""
        self.trial, self.k, self._trial_began = trial, k, self._clock()
        self._step, self._step_at = 0, (0, 0)

    def trial_finished(self, trial: model.Trial, result: measured.TrialResult) -> None:  # noqa: ARG002  interface
        """``trial`` is stored."""
        self.done += 1
        self._finished_here += 1
        self.failed += not result.ok
        self.trial = None

    def counted(self, completed: int, published: int) -> str:
        """``120 of 500 tasks``. A search publishes step after step and counts each from 0: ``step 3: …``.

        Called once a tick of the load.
        """
        of = f" of {published}" if published else ""
        text = f"{completed}{of} tasks"
        if self.trial is None or self.trial.cell.setup.load.shape != "saturate":
            return text
        before, planned = self._step_at
        if not self._step or completed < before or published != planned:
            self._step += 1
        self._step_at = (completed, published)
        return f"step {self._step}: {text}"

    @property
    def trial_s(self) -> float:
        """Seconds since the trial began."""
        return self._clock() - self._trial_began

    @property
    def left_s(self) -> float:
        """Seconds until the session ends: the first estimate, more and more corrected by what trials took."""
        remaining = self.total - self.done
        if remaining <= 0:
            return 0.0
        elapsed = self._clock() - self._began - (self.trial_s if self.trial else 0.0)
        first = self._estimate_s / (remaining + self._finished_here)
        each = (first * ESTIMATE_WEIGHT + elapsed) / (ESTIMATE_WEIGHT + self._finished_here)
        running = min(self.trial_s, each) if self.trial else 0.0
        left = remaining * each - running
        return left if self.budget_s is None else max(0.0, min(left, self.budget_s - elapsed))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the terminal back; safe to call twice."""


class LiveProgress(_Session):
    """A few lines at the foot of the terminal, redrawn in place; failed trials are printed above them."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console, clock)
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._drawn = float("-inf")
        self._now = ("boot", 0, 0, 0.0, 0, 0.0)
        self._counted = ""

    def session_started(self, total: int, done: int, estimate_s: float) -> None:
        super().session_started(total, done, estimate_s)
        self._live.start()
        self._draw(now=True)

    def trial_started(self, trial: model.Trial, k: int) -> None:
        super().trial_started(trial, k)
        self._now = ("boot", 0, 0, 0.0, 0, 0.0)
        self._draw()

    def tick(self, phase: str, completed: int, published: int, rate: float, backlog: int, cpu: float) -> None:
        """How the running trial stands: counts, completions a second, cores used by the workers."""
        self._now = (phase, completed, published, rate, backlog, cpu)
        self._counted = self.counted(completed, published) if phase == "load" else ""
        self._draw()

    def trial_finished(self, trial: model.Trial, result: measured.TrialResult) -> None:
        super().trial_finished(trial, result)
        if not result.ok:
            self.console.print(_failed_line(trial, result), highlight=False)
        self._draw()

    def session_finished(self, interrupted: bool) -> None:
        """All trials are done, or Ctrl-C ended them."""
        self.close()
        self.console.print(_closing_line(self, interrupted), highlight=False)

    def close(self) -> None:
        self._live.stop()

    def _draw(self, *, now: bool = False) -> None:
        if now or self._clock() - self._drawn >= REDRAW_S:
            self._drawn = self._clock()
            self._live.update(self.picture(), refresh=True)

    def picture(self) -> RenderableType:
        """What the display shows now."""
        left = f"about {units.format_duration(max(1, round(self.left_s)))} left"
        failed = f" · {self.failed} failed" if self.failed else ""
        session = _bar_line(self.done, self.total, f"{self.done} of {self.total} trials{failed} · {left}")
        if self.trial is None:
            return session
        name = Text(_trial_text(self.trial), style="bold", no_wrap=True, overflow="ellipsis")
        phase, completed, published, rate, backlog, cpu = self._now
        if phase != "load":
            waits = {"boot": "workers are starting", "warm-up": "warming up"}
            state = f"{waits.get(phase, phase)} · {self.trial_s:.0f} s"
            return Group(session, name, Text(state, style="dim"))
        done = f"{self._counted} · {units.format_rate(rate)}"
        state = f"{done} · backlog {backlog} · CPU {cpu:.1f} cores"
        return Group(session, name, _bar_line(completed, published, state))


class PlainProgress(_Session):
    """One line for each finished trial and now and then a sign of life: for logs, pipes and CI."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console, clock)
        self._spoke = clock()

    def session_started(self, total: int, done: int, estimate_s: float) -> None:
        super().session_started(total, done, estimate_s)
        before = f", {done} already done" if done else ""
        most = "at most " if self.budget_s is not None else ""
        about = units.format_duration(round(min(estimate_s, self.budget_s or estimate_s)))
        self._say(f"{most}{units.plural(total, 'trial')}{before}, about {about}")

    def tick(
        self,
        phase: str,
        completed: int,
        published: int,
        rate: float,
        backlog: int,  # noqa: ARG002  the interface of all displays
        cpu: float,  # noqa: ARG002
    ) -> None:
        """A line when nothing was said for ten seconds."""
        counted = self.counted(completed, published) if phase == "load" else ""
        if self.trial is None or self._clock() - self._spoke < HEARTBEAT_S:
            return
        how = f"{counted}, {units.format_rate(rate)}" if counted else phase
        self._say(f"  … {_trial_text(self.trial)}: {how}, {self.trial_s:.0f} s")

    def trial_finished(self, trial: model.Trial, result: measured.TrialResult) -> None:
        super().trial_finished(trial, result)
        if result.ok:
            left = f", about {units.format_duration(max(1, round(self.left_s)))} left" if self.left_s else ""
            self._say(f"{self._counter()} {_trial_text(trial)}: {_result_text(result)}{left}")
        else:
            self._say(f"{self._counter()} {_failed_line(trial, result).plain}")

    def session_finished(self, interrupted: bool) -> None:
        """All trials are done, or Ctrl-C ended them."""
        self._say(_closing_line(self, interrupted).plain)

    def _counter(self) -> str:
        width = len(str(self.total))
        return f"[{self.done:>{width}}/{self.total}]"

    def _say(self, line: str) -> None:
        self._spoke = self._clock()
        self.console.print(line, soft_wrap=True, highlight=False, markup=False)


def _bar_line(completed: int, total: int, text: str) -> Table:
    line = Table.grid(padding=(0, 1), expand=True)
    line.add_column(ratio=1, min_width=8)
    line.add_column(no_wrap=True, overflow="ellipsis")
    line.add_row(ProgressBar(total=total or None, completed=completed, pulse=not total), Text(text))
    return line


def _trial_text(trial: model.Trial) -> str:
    return f"{trial.scenario} · {labels.settings_text(trial.cell.settings)} · block {trial.block}"


def _result_text(result: measured.TrialResult) -> str:
    if result.search:
        return searches.short(result)
    shown = [m for m in ("throughput", "makespan", "p95(roundtrip)") if m in result.metrics]
    return (
        ", ".join(f"{labels.metric_text(m)} {units.format_metric(m, result.metrics[m])}" for m in shown)
        or "done"
    )


def _failed_line(trial: model.Trial, result: measured.TrialResult) -> Text:
    return Text.assemble(
        ("failed ", "bold red"), f"{_trial_text(trial)}: {result.reason or 'no reason given'}"
    )


def _closing_line(session: _Session, interrupted: bool) -> Text:
    took = units.format_duration(round(session._clock() - session._began))
    failed = f", {session.failed} failed" if session.failed else ""
    start = "Interrupted: " if interrupted else ""
    total = session.total if interrupted else session.done  # of a search one only knew at most how many
    return Text(f"{start}{session.done} of {units.plural(total, 'trial')} done in {took}{failed}.")
