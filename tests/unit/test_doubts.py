"""Every doubt: raised where it should be, with its number, and silent on a healthy run."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import store
from bench.analyse import result, summarise
from bench.doubts import RULES, summarise_run, with_doubts
from bench.jsonable import plain
from bench.measured import Doubt, Estimate, PhaseSummary, TrialResult
from bench.model import Cell, Load, Scenario, Setup, TaskCall, Trial, Workers
from bench.run.fake import Fake

FLOOD = Load(tasks=200)
PACED = Load(shape="constant", rate=100.0, duration=3.0)
QUIET = Fake(noise=0.01)
SLEEP = (TaskCall(task="io.sleep", kwargs={"seconds": 0.02}),)


def scenario(
    load: Load = FLOOD, metric: str = "throughput", pool: str = "prefork", gates: tuple[str, ...] = ()
) -> Scenario:
    cell = Cell(
        id="c",
        settings={"workers.pool": pool},
        setup=Setup(fleet=(Workers(pool=pool),), workload=SLEEP, load=load),
    )
    return Scenario(name="s", question="?", metric=metric, repeats=5, gates=gates, cells=(cell,))


def trials(asked: Scenario, n: int = 5, fake: Fake = QUIET) -> list[TrialResult]:
    cell = asked.cells[0]
    planned = [Trial(id=f"t{i}", scenario="s", cell=cell, block=i, position=i, seed=i) for i in range(n)]
    return [result(trial, fake(trial)) for trial in planned]


def doubts(asked: Scenario, results: list[TrialResult], **more: Any) -> dict[str, Doubt]:
    (got,) = with_doubts(asked, summarise(asked, results), results, **more)
    return {doubt.kind: doubt for doubt in got.doubts}


def changed(results: list[TrialResult], group: str, **seconds: float) -> list[TrialResult]:
    """The same trials with other resources for a group, in cores."""
    return [
        replace(
            r, resources={**r.resources, group: {k: v * r.metrics["makespan"] for k, v in seconds.items()}}
        )
        for r in results
    ]


@pytest.mark.parametrize("load", [FLOOD, PACED])
def test_a_healthy_run_has_none(load: Load) -> None:
    asked = scenario(load)
    assert doubts(asked, trials(asked)) == {}


def test_a_cell_that_was_not_run_has_none() -> None:
    assert doubts(scenario(), []) == {}


def test_failed_trials() -> None:
    found = doubts(scenario(), trials(scenario(), fake=Fake(noise=0.01, broken={"t3": "a worker died"})))
    assert found["failed-trials"].text == "1 of 5 trials failed: a worker died."
    assert "trials/*/*.log" in found["failed-trials"].advice


def test_nothing_but_failed_trials() -> None:
    found = doubts(scenario(metric="p99(wait)"), trials(scenario(), fake=Fake(broken={"c": "a worker died"})))
    assert found["failed-trials"].text.startswith("5 of 5 trials")
    assert set(found) == {"failed-trials", "flood-latency"}


def test_failed_and_lost_and_duplicated_tasks() -> None:
    results = trials(scenario(), fake=Fake(noise=0.01, failing=0.1, losing=0.1))
    results = [replace(r, counts={**r.counts, "duplicated": 1}) for r in results]
    found = doubts(scenario(), results)
    failed = sum(r.counts["failed"] for r in results)
    assert found["failed-tasks"].text == f"{failed} of 1000 tasks failed."
    assert "never ended" in found["lost-tasks"].text
    assert found["duplicated-tasks"].text == "5 of 1000 tasks ended more than once."


def test_mismatch() -> None:
    results = [replace(r, mismatches=("worker 0 runs with pool solo", "b")) for r in trials(scenario())]
    text = doubts(scenario(), results)["mismatch"].text
    assert text == "What ran is not what was asked for: worker 0 runs with pool solo (and 1 more)."


@pytest.mark.parametrize(
    ("verdict", "says"), [("never", "completions ÷ makespan"), ("drifting", "drifted in 5")]
)
def test_unsteady_only_where_throughput_is_asked(verdict: str, says: str) -> None:
    steady = {"verdict": verdict, "why": "too short"}
    results = [replace(r, steady=steady) for r in trials(scenario())]
    text = doubts(scenario(), results)["unsteady"].text
    assert says in text and "(too short)" in text
    assert "unsteady" not in doubts(scenario(metric="makespan"), results)
    assert "unsteady" in doubts(scenario(metric="makespan", gates=("throughput > 1/s",)), results)


def test_late_load() -> None:
    asked = scenario(PACED)
    results = [replace(r, metrics={**r.metrics, "p99(lateness)": 0.005}) for r in trials(asked)]
    assert "p99(lateness) is 5 ms" in doubts(asked, results)["late-load"].text
    in_time = [replace(r, metrics={**r.metrics, "p99(lateness)": 0.0019}) for r in results]
    assert "late-load" not in doubts(asked, in_time)


def test_latency_of_a_flood_only_where_asked() -> None:
    asked = scenario(gates=("p95(response) < 1s",))
    assert "p95(response)" in doubts(asked, trials(asked))["flood-latency"].text
    assert doubts(scenario(PACED, gates=("p50(response) < 1s",)), trials(scenario(PACED))) == {}
    service = scenario(gates=("p50(service) < 1s",))
    assert doubts(service, trials(service)) == {}


def test_too_few_tasks_for_the_percentile() -> None:
    asked = scenario(PACED, metric="p99(response)")
    assert doubts(asked, trials(asked))["few-tasks"].text == (
        "p99(response) needs 1000 ended tasks a trial (10 beyond it), there were 300."
    )


def test_few_trials_and_quick_runs() -> None:
    two, one = (doubts(scenario(), trials(scenario(), n))["few-trials"].text for n in (2, 1))
    assert two == "Only 2 trials a cell: the interval rests on too little to be trusted."
    assert one == "Only 1 trial a cell: the interval is missing."
    assert set(doubts(scenario(), trials(scenario(), 1), quick=True)) == {"quick"}


def test_wide_interval() -> None:
    results = trials(scenario(), fake=Fake(noise=0.2))
    text = doubts(scenario(), results)["wide-interval"].text
    assert text.startswith("The interval of throughput is wide: ± ") and "/s, " in text and " % of it" in text


def test_busy_broker_and_harness_and_neighbours() -> None:
    results = trials(scenario())
    assert "0.95" in doubts(scenario(), changed(results, "broker", cpu=0.95))["broker-busy"].text
    assert "0.30 cores" in doubts(scenario(), changed(results, "harness", cpu=0.3))["harness-busy"].text
    stolen = changed(results, "system", cpu=1.0, steal=0.06)
    assert "3.0 %" in doubts(scenario(), stolen, cores=2)["steal"].text
    assert "steal" not in doubts(scenario(), stolen, cores=4)


def test_eventlet() -> None:
    asked = scenario(pool="eventlet")
    assert list(doubts(asked, trials(asked))) == ["eventlet"]


def test_texts_are_sentences_with_advice() -> None:
    asked = scenario(pool="eventlet", metric="p99(wait)")
    results = changed(trials(asked, 2, Fake(noise=0.3, failing=0.1)), "broker", cpu=1.0)
    found = doubts(asked, results)
    assert len(found) >= 5 and len(found) <= len(RULES)
    for doubt in found.values():
        assert doubt.text.endswith(".") and doubt.advice.endswith(".")
        assert doubt.text[0].isupper() or doubt.text[0].isdigit() or doubt.kind in ("eventlet", "few-tasks")


def with_host(results: list[TrialResult], *readings: dict[str, float]) -> list[TrialResult]:
    """The same trials with these readings of the host, and none for the rest of them."""
    missing: list[dict[str, float]] = [{}] * (len(results) - len(readings))
    return [replace(r, host=host) for r, host in zip(results, [*readings, *missing], strict=True)]


def spins(before: float, after: float) -> dict[str, float]:
    return {"spin_before": before, "spin_after": after}


def test_a_host_that_was_slow_for_a_while() -> None:
    slow = with_host(trials(scenario()), *[spins(0.020, 0.021)] * 3, spins(0.024, 0.025), spins(0.02, 0.02))
    text = doubts(scenario(), slow)["slow-host"].text
    assert text.startswith("The host was slow around 1 of 5 trials") and "up to 20 % longer" in text
    usual = with_host(trials(scenario()), *[spins(0.020, 0.0215)] * 5)
    assert doubts(scenario(), usual) == {}


def test_a_host_that_changed_its_speed_during_a_trial() -> None:
    results = with_host(trials(scenario()), *[spins(0.02, 0.02)] * 4, spins(0.0185, 0.0215))
    text = doubts(scenario(), results)["slow-host"].text
    assert text.startswith("The host's speed changed during 1 of 5 trials: up to 16 %")


def test_usual_is_what_is_usual_in_the_whole_run() -> None:
    """A cell that was slow in all its trials is seen by those of the other cells."""
    slow = with_host(trials(scenario()), *[spins(0.03, 0.03)] * 5)
    assert "slow-host" not in doubts(scenario(), slow)
    rest = [replace(r, cell="other", scenario="other", host=spins(0.02, 0.02)) for r in slow] * 2
    assert "5 of 5 trials" in doubts(scenario(), [*slow, *rest])["slow-host"].text


def test_throttled_swapping_and_busy_hosts() -> None:
    results = trials(scenario())
    makespan = results[0].metrics["makespan"]
    found = doubts(scenario(), with_host(results, {"throttled": makespan * 0.05}))
    assert found["throttled"].text.endswith("for 5 % of a trial's time.")
    assert "3 MiB" in doubts(scenario(), with_host(results, {"swapped": 3 * 2.0**20}))["swap"].text
    busy = doubts(scenario(), with_host(results, {"busy_before": 0.9}, {"busy_before": 0.3}))
    assert busy["busy-host"].text.endswith("before 2 of 5 trials: up to 0.9 cores.")
    quiet = {"throttled": makespan * 0.005, "swapped": 4096.0, "busy_before": 0.15}
    assert doubts(scenario(), with_host(results, *[quiet] * 5)) == {}


def test_a_loader_that_is_the_limit() -> None:
    closed = Load(shape="closed", tasks=200, clients=2)
    results = changed(trials(scenario()), "loader", cpu=0.9)
    assert "0.90 of the one core" in doubts(scenario(closed), results)["loader-busy"].text
    assert "loader-busy" not in doubts(scenario(closed), changed(results, "loader", cpu=0.7))


@pytest.mark.parametrize("shape", ["poisson", "steps", "ramp", "sine", "burst", "replay"])
def test_late_load_of_every_open_shape(shape: str) -> None:
    asked = scenario(replace(PACED, shape=shape), metric="p50(response)")
    late = [replace(r, metrics={**r.metrics, "p99(lateness)": 0.005}) for r in trials(scenario(PACED))]
    assert "late-load" in doubts(asked, late)


def test_a_closed_loop_is_never_late() -> None:
    asked = scenario(Load(shape="closed", tasks=200, clients=2))
    late = [replace(r, metrics={**r.metrics, "p99(lateness)": 0.5}) for r in trials(scenario(PACED))]
    assert doubts(asked, late) == {}


def test_one_late_phase_is_enough() -> None:
    parts = (PACED, replace(PACED, rate=200.0))
    asked = scenario(Load(shape="phases", phases=parts), metric="p50(response)")
    results = trials(scenario(PACED))
    (got,) = summarise(asked, results)
    late = {"p99(lateness)": Estimate(point=0.008), "p50(response)": Estimate(point=0.02)}
    phases = (
        PhaseSummary(name="1 100/s", metrics=got.metrics),
        PhaseSummary(name="2 200/s", metrics=late),
    )
    (seen,) = with_doubts(asked, [replace(got, phases=phases)], results)
    text = next(d.text for d in seen.doubts if d.kind == "late-load")
    assert text.startswith("The loader was late in phase 2 200/s: p99(lateness) is 8 ms")


SATURATE = Load(shape="saturate", rate=100.0, duration=5.0, slo="p95(response) < 500ms")


def searches(**search: Any) -> list[TrialResult]:
    found = {"outcome": "found", "rate": 90.0, "lower": 85.0, "upper": 95.0, "why": "held", "steps": []}
    metrics = {"capacity": 90.0, "p99(lateness)": 0.0001, "p50(response)": 0.02}
    return [
        replace(r, metrics=metrics, steady={}, search={**found, **search}, timings={"load": 60.0})
        for r in trials(scenario(PACED))
    ]


def test_searches_without_an_answer() -> None:
    asked = scenario(SATURATE, metric="capacity")
    assert doubts(asked, searches()) == {}
    found = doubts(asked, searches(outcome="unreachable", why="p95(response) is 2 s; the SLO is 500 ms"))
    assert list(found) == ["slo-unreachable"]
    assert found["slo-unreachable"].text == (
        "No rate kept the SLO in 5 of 5 trials: p95(response) is 2 s; the SLO is 500 ms."
    )
    found = doubts(asked, searches(outcome="open", why="80/s was held; 24 steps did not settle it"))
    assert "ended open in 5 of 5 trials: 80/s was held" in found["search-open"].text
    assert "p95(response) < 500ms" in doubts(asked, searches(thin=True))["thin-steps"].text
    assert "one search alone" in doubts(asked, searches()[:1])["few-trials"].text


def test_a_search_that_the_loader_ended() -> None:
    asked = scenario(SATURATE, metric="capacity")
    steps = [{"rate": 90.0, "held": True}, {"rate": 200.0, "held": False}, {"rate": 100.0, "held": False}]
    lateness = [0.0001, 0.5, 0.02]
    phases = tuple({"metrics": {"p99(lateness)": late, "p50(response)": 0.03}} for late in lateness)
    results = [replace(r, phases=phases) for r in searches(steps=steps)]
    assert (
        "late at 100/s, which was missed: p99(lateness) is 20 ms" in doubts(asked, results)["late-load"].text
    )
    flat_out = [replace(r, resources={"loader": {"cpu": 54.0}}) for r in searches()]
    assert "0.90 of the one core" in doubts(asked, flat_out)["loader-busy"].text


def test_a_ramp_need_not_be_steady() -> None:
    ramp = Load(shape="ramp", rates=(10.0, 100.0), duration=3.0)
    results = [replace(r, steady={"verdict": "drifting", "why": "it rose"}) for r in trials(scenario())]
    assert "unsteady" in doubts(scenario(), results)
    assert "unsteady" not in doubts(scenario(ramp), results)


def test_a_flood_among_the_phases_has_no_latency_either() -> None:
    asked = scenario(Load(shape="phases", phases=(FLOOD, PACED)), metric="p95(response)")
    assert "flood-latency" in doubts(asked, trials(scenario(PACED)))


def test_every_rule_says_why_and_what_to_do() -> None:
    assert len({rule.kind for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.source.endswith(".") and rule.advice.endswith("."), rule.kind
    found = doubts(scenario(), trials(scenario(), 1))["few-trials"]
    assert found.source == next(rule.source for rule in RULES if rule.kind == "few-trials")


def test_a_whole_run(tmp_path: Path) -> None:
    asked = scenario()
    run = store.create(
        tmp_path, "r", {"quick": True, "seed": 1, "scenarios": [plain(asked)], "host": {"cores": 2}}
    )
    trial = Trial(id="t0", scenario="s", cell=asked.cells[0], block=0, position=0, seed=0)
    recording = Fake()(trial)
    run.append(result(trial, recording), recording)
    (got,) = summarise_run(store.open_run(tmp_path, "r"))
    assert (got.cell, got.trials, [d.kind for d in got.doubts]) == ("c", 1, ["quick"])
