import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from bench import measured, model, plan
from bench.report.terminal import HEARTBEAT_S, LiveProgress, PlainProgress, for_console


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def result(trial: model.Trial, reason: str = "") -> measured.TrialResult:
    return measured.TrialResult(
        trial=trial.id,
        scenario=trial.scenario,
        cell=trial.cell.id,
        block=trial.block,
        position=trial.position,
        seed=1,
        started_at="",
        outcome="failed" if reason else "ok",
        reason=reason,
        metrics={} if reason else {"throughput": 247.0, "makespan": 8.1},
    )


@pytest.fixture
def trials(make_scenario: Any) -> list[model.Trial]:
    return plan.trials([make_scenario(work=["cpu"], repeats=1)], 1)


def console(width: int = 80, *, terminal: bool = False) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    made = Console(
        file=out,
        width=width,
        force_terminal=terminal,
        color_system="standard" if terminal else None,
        _environ={"TERM": "xterm"},
    )
    return made, out


def test_which_display_for_which_console() -> None:
    assert isinstance(for_console(console(terminal=True)[0]), LiveProgress)
    assert isinstance(for_console(console()[0]), PlainProgress)
    dumb = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})
    assert isinstance(for_console(dumb), PlainProgress)


def test_plain_lines(trials: list[model.Trial]) -> None:
    made, out = console(40)
    clock = Clock()
    with PlainProgress(made, clock) as progress:
        progress.session_started(4, 0, 40.0)
        for k, trial in enumerate(trials, 1):
            progress.trial_started(trial, k)
            clock.now += 10
            progress.trial_finished(trial, result(trial, "worker [bold]died[/bold]" if k == 2 else ""))
        progress.session_finished(interrupted=False)
    lines = out.getvalue().splitlines()
    assert lines[0] == "4 trials, about 40 s"
    assert lines[1].startswith("[1/4] pools · ")
    assert lines[1].endswith("block 1: throughput 247/s, makespan 8.1 s, about 30 s left")
    assert lines[2].startswith("[2/4] failed pools · ")
    assert lines[2].endswith("worker [bold]died[/bold]")
    assert lines[-1] == "4 of 4 trials done in 40 s, 1 failed."
    assert "\x1b" not in out.getvalue()


def test_a_heartbeat_at_most_every_ten_seconds(trials: list[model.Trial]) -> None:
    made, out = console()
    clock = Clock()
    progress = PlainProgress(made, clock)
    progress.session_started(4, 0, 40.0)
    progress.trial_started(trials[0], 1)
    for _ in range(125):
        clock.now += 0.2
        progress.tick("load", 40, 400, 12.0, 360, 1.0)
    beats = [line for line in out.getvalue().splitlines() if "…" in line]
    assert len(beats) == int(25 / HEARTBEAT_S)
    assert "40 of 400 tasks, 12/s" in beats[0]


def test_a_resumed_session_counts_what_was_done(trials: list[model.Trial]) -> None:
    made, out = console()
    progress = PlainProgress(made, Clock())
    progress.session_started(4, 3, 10.0)
    progress.trial_started(trials[3], 4)
    progress.trial_finished(trials[3], result(trials[3]))
    progress.session_finished(interrupted=True)
    text = out.getvalue()
    assert "4 trials, 3 already done, about 10 s" in text
    assert "[4/4]" in text
    assert "Interrupted: 4 of 4 trials done" in text


def test_time_left_learns_from_the_trials(trials: list[model.Trial]) -> None:
    clock = Clock()
    progress = PlainProgress(console()[0], clock)
    progress.session_started(4, 0, 40.0)
    assert progress.left_s == pytest.approx(40.0)
    progress.trial_started(trials[0], 1)
    clock.now += 30
    assert progress.left_s == pytest.approx(30.0), "a trial that takes too long does not count below zero"
    progress.trial_finished(trials[0], result(trials[0]))
    assert progress.left_s == pytest.approx(3 * (3 * 10 + 30) / 4)


def test_the_live_display_draws_at_most_twice_a_second(
    trials: list[model.Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, out = console(terminal=True)
    clock = Clock()
    progress = LiveProgress(made, clock)
    drawn: list[float] = []
    with progress:
        progress.session_started(4, 0, 40.0)
        monkeypatch.setattr(progress._live, "update", lambda *_, **__: drawn.append(clock.now))
        progress.trial_started(trials[0], 1)
        for _ in range(100):
            clock.now += 0.05
            progress.tick("load", 40, 400, 12.0, 360, 1.0)
    assert 9 <= len(drawn) <= 11
    assert "\x1b[?25h" in out.getvalue(), "the cursor is shown again"


@pytest.mark.parametrize("width", [60, 80, 140])
def test_the_live_display_fits(width: int, trials: list[model.Trial]) -> None:
    made, _ = console(width, terminal=True)
    progress = LiveProgress(made, Clock())
    progress.session_started(400, 0, 4000.0)
    progress.trial_started(trials[0], 1)
    progress.tick("load", 123456, 200000, 1234.5, 76544, 1.98)
    progress.close()
    with made.capture() as capture:
        made.print(progress.picture())
    lines = Console(color_system=None).render_str(capture.get()).plain.splitlines()
    assert len(lines) == 3
    if width >= 80:
        assert "123456 of 200000 tasks · 1 234/s · backlog 76544 · CPU 2.0 cores" in capture.get()


def test_failed_trials_stay_above_the_live_display(trials: list[model.Trial]) -> None:
    made, out = console(120, terminal=True)
    with LiveProgress(made, Clock()) as progress:
        progress.session_started(4, 0, 40.0)
        progress.trial_started(trials[0], 1)
        progress.trial_finished(trials[0], result(trials[0], "worker died"))
        progress.session_finished(interrupted=False)
    assert "worker died" in out.getvalue()


def searching(trials: list[model.Trial]) -> model.Trial:
    """A trial that looks for the highest rate."""
    load = model.Load(shape="saturate", slo="p95(response) < 100ms")
    cell = replace(trials[0].cell, setup=replace(trials[0].cell.setup, load=load))
    return replace(trials[0], cell=cell)


def test_a_search_counts_its_steps(trials: list[model.Trial]) -> None:
    progress = PlainProgress(console()[0], Clock())
    progress.trial_started(searching(trials), 1)
    said = [progress.counted(*now) for now in ((0, 100), (60, 100), (5, 100), (90, 100), (90, 250), (2, 0))]
    assert said == [
        "step 1: 0 of 100 tasks",
        "step 1: 60 of 100 tasks",
        "step 2: 5 of 100 tasks",
        "step 2: 90 of 100 tasks",
        "step 3: 90 of 250 tasks",
        "step 4: 2 tasks",
    ]


@pytest.mark.parametrize("width", [60, 120])
def test_the_live_display_of_a_search(width: int, trials: list[model.Trial]) -> None:
    made, _ = console(width, terminal=True)
    progress = LiveProgress(made, Clock())
    progress.session_started(4, 0, 40.0)
    progress.trial_started(searching(trials), 1)
    for completed, published in ((0, 0), (40, 100), (1, 250)):
        progress.tick("load", completed, published, 12.0, 3, 0.4)
    progress.close()
    with made.capture() as capture:
        made.print(progress.picture())
    text = Console(color_system=None).render_str(capture.get()).plain
    assert "1 of 250 tasks" in text
    assert len(text.splitlines()) == 3


def test_a_finished_search_says_its_rate(trials: list[model.Trial]) -> None:
    made, out = console(200)
    progress = PlainProgress(made, Clock())
    progress.session_started(1, 0, 40.0)
    trial = searching(trials)
    progress.trial_started(trial, 1)
    found = {
        "outcome": "found",
        "rate": 198.0,
        "lower": 189.0,
        "upper": 210.0,
        "slo": "p95(response) < 100 ms",
    }
    progress.trial_finished(trial, replace(result(trial), search=found))
    assert "198/s (189–210/s) with p95(response) < 100 ms" in out.getvalue()
