"""Runs made by the simulation itself, from workers whose every property is known: the model finds them
again, and the plan is the one that the true workers would be given.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from bench import grammar
from bench.errors import UsageError
from bench.model import CHAINED, Load, Setup, TaskCall, Workers
from bench.search.step import Slo
from bench.sizing import advise, burst, doubts, mix, plan, predict, theory, verify
from bench.sizing.advise import Ask
from bench.sizing.evidence import Family, Sample
from bench.sizing.model import Model, fit
from bench.sizing.predict import Host, Layout
from bench.sizing.scaling import Usl
from bench.sizing.simulate import run

GIB = 2**30
MIB = 2**20
HOST = Host(cores=4, memory=8 * GIB)
TRUE = Model(
    services=np.random.default_rng(0).lognormal(math.log(0.05), 0.5, 4000),
    law=Usl(one=0.05 * math.exp(0.125), sigma=0.01, kappa=0.0),
    work_s=0.004, domain_s=0.0048, total_s=0.0048, broker_s=0.0001, loader_s=0.0002, consumer_s=0.0007,
    dispatch_s=0.0004, node_bytes=50 * MIB, slot_bytes=20 * MIB, by_node=False, late=False, cores=4,
    widest=16,
)  # fmt: skip
SETUP = Setup(fleet=(Workers(pool="prefork"),), workload=(TaskCall(task="io.sleep"),), load=Load(tasks=1000))


def trial(model: Model, concurrency: int, number: int, *, nodes: int = 1, noise: float = 0.02) -> Sample:
    """A flood on true workers; the host is faster or slower by chance."""
    rng = np.random.default_rng([concurrency, nodes, number])
    speed = float(np.exp(rng.normal(0, noise)))
    layout = Layout(nodes=nodes, concurrency=concurrency, prefetch=1)
    tasks = 800
    fleet = predict.fleet(model.beside_loader(), layout, model.cores)
    course = run(fleet, np.zeros(tasks), rng.choice(model.services, tasks) * speed)
    took = course.ended - course.started
    return Sample(
        trial=f"c{concurrency}-n{nodes}-{number}", cell=f"c{concurrency}-n{nodes}", nodes=nodes,
        concurrency=concurrency, prefetch=1, points=(), services=took, kinds=np.zeros(tasks, dtype=int),
        busy=float(concurrency if model.by_node else layout.slots), gap_s=model.dispatch_s * speed,
        consumer_s=(model.domain_s if model.by_node else model.consumer_s) * speed,
        work_s=0.0 if model.by_node else model.work_s * speed, broker_s=model.broker_s,
        loader_s=model.loader_s, memory=model.memory(nodes, concurrency), metrics={},
    )  # fmt: skip


def made(
    model: Model = TRUE,
    concurrencies: tuple[int, ...] = (2, 4, 8, 16),
    trials: int = 4,
    pool: str = "prefork",
) -> Family:
    samples = [trial(model, c, n) for c in concurrencies for n in range(trials)]
    setup = replace(SETUP, fleet=(Workers(pool=pool),))
    return Family(
        scenario="made", settings={"workers.pool": pool}, setup=setup, samples=tuple(samples),
        by_node=model.by_node,
    )  # fmt: skip


def asked(rate: float = 200.0, limit: float = 0.4, metric: str = "p95(response)", **more: object) -> Ask:
    return Ask(**{
        "rate": rate, "slo": Slo(metric=metric, limit=limit), "headroom": 0.2, "host": HOST, **more
    })  # type: ignore[arg-type]  # fmt: skip


@pytest.fixture(scope="module", name="family")
def _family() -> Family:
    return made()


@pytest.fixture(scope="module", name="found")
def _found(family: Family) -> plan.Plan:
    return plan.one(family, asked(), 4, burst.parse("3x for 10m every 1h"))


def test_the_model_is_found_again(family: Family) -> None:
    model = fit(family, 4)
    assert model.law.one == pytest.approx(TRUE.law.one, rel=0.04)
    for busy in (1, 8, 16, 32):
        assert model.slowdown(busy, 4)[busy] == pytest.approx(TRUE.slowdown(busy, 4)[busy], rel=0.1), busy
    assert model.consumer_s == pytest.approx(TRUE.consumer_s, rel=0.05)
    assert model.memory(3, 10) == pytest.approx(TRUE.memory(3, 10))
    assert np.quantile(model.services, 0.95) == pytest.approx(np.quantile(TRUE.services, 0.95), rel=0.08)


@pytest.mark.parametrize("rate", [50.0, 200.0, 900.0])
def test_the_plan_is_that_of_the_true_workers(family: Family, rate: float) -> None:
    ask = asked(rate, headroom=0.0)
    found = advise.smallest(family, fit(family, 4), ask)
    true = advise.smallest(family, TRUE, ask)
    assert found.hosts == true.hosts
    assert found.slots == pytest.approx(true.slots, rel=0.15)
    assert advise.keeps(ask, predict.predict(TRUE, found, 0.95 * rate, 4, seed=9)), "a twentieth may be off"


def test_a_smaller_plan_does_not_hold(family: Family) -> None:
    model, ask = fit(family, 4), asked(300.0, concurrency=4)
    found = advise.smallest(family, model, ask)
    one_less = replace(found, nodes=found.nodes - 1)
    assert advise.keeps(ask, predict.predict(model, found, ask.held, 4))
    assert not advise.keeps(ask, predict.predict(model, one_less, ask.held, 4))


def test_without_contention_it_is_erlangs_answer() -> None:
    """Exponential services that cost no CPU: the slots that M/M/c needs for the same quantile."""
    rng = np.random.default_rng(4)
    free = replace(
        TRUE, services=rng.exponential(1.0, 20_000), law=Usl(one=1.0, sigma=0.0, kappa=0.0), work_s=0.0,
        domain_s=0.0, total_s=0.0, loader_s=0.0, consumer_s=0.0, dispatch_s=0.0,
    )  # fmt: skip
    family = made(free, (4, 8), trials=1)
    ask = asked(8.0, 3.5, headroom=0.0, concurrency=1, prefetch=1)
    ask = replace(ask, concurrency=4)
    found = advise.smallest(family, replace(free, late=True), ask)
    enough = next(c for c in range(8, 40) if theory.mmc_response(c, 8.0, 1.0, 0.95) < 3.5)
    assert found.slots in range(enough, enough + 5)


@pytest.mark.parametrize(("wrong", "widest"), [(0.0, 2.0), (predict.MODEL_ERROR, 5.0)])
def test_the_interval_holds_another_trial(
    family: Family, found: plan.Plan, monkeypatch: pytest.MonkeyPatch, wrong: float, widest: float
) -> None:
    """Of a host that differs by 2 % from trial to trial, and a model that is ``wrong``."""
    monkeypatch.setattr(predict, "MODEL_ERROR", wrong)
    metric = "p95(response)"
    again = predict.resampled(family, 4)
    planned = predict.with_interval(found.planned, again, found.layout, 4)
    low, high = planned.lower[metric], planned.upper[metric]
    assert low < planned.metrics[metric] < high < widest * low
    speeds = np.exp(np.random.default_rng(8).normal(0, np.hypot(0.02, wrong), 20))
    true = [
        predict.predict(predict._scaled(TRUE, speed), found.layout, 200.0, 4, seed=seed).metrics
        for seed, speed in enumerate(speeds, start=500)
    ]
    assert sum(low <= metrics.get(metric, np.inf) <= high for metrics in true) >= 17


def test_the_capacity_has_an_interval_too(family: Family, found: plan.Plan) -> None:
    assert found.capacity_range is not None
    low, high = found.capacity_range
    assert low < found.capacity < high
    speeds = np.exp(np.random.default_rng(9).normal(0, np.hypot(0.02, predict.CAPACITY_ERROR), 20))
    true = [predict.capacity(predict._scaled(TRUE, speed), found.layout, 4) for speed in speeds]
    assert sum(low <= value <= high for value in true) >= 17
    floods = [
        replace(s, flood=True, metrics={"throughput": 100.0 * (1 + 0.5 * (i % 2))})
        for i, s in enumerate(family.samples)
    ]
    again = predict.resampled(replace(family, samples=tuple(floods)), 4)
    wider = predict.capacity_within(found.model, again, found.layout, 4)
    assert wider is not None and wider[1] / wider[0] > 2 > high / low


def test_one_trial_a_cell_has_no_interval() -> None:
    again = predict.resampled(made(trials=1), 4)
    layout = Layout(nodes=2, concurrency=8, prefetch=1)
    alone = predict.with_interval(predict.predict(TRUE, layout, 100.0, 4), again, layout, 4)
    assert (again.models, alone.lower, alone.upper) == ((), {}, {})


def test_more_rate_takes_longer_and_the_knee_lies_between(found: plan.Plan) -> None:
    values = [p.metrics["p95(response)"] for p in found.curve.points]
    assert values[-1] > 1.5 * values[0] and found.curve.points[-1].rate < found.capacity
    assert 0.4 * found.capacity < found.curve.knee < found.capacity


def test_what_if_says_which_nodes_fall_behind(found: plan.Plan) -> None:
    few, many = found.choices[0], found.choices[-1]
    assert not few.at[-1].keeps_up and many.at[0].keeps_up
    assert many.memory == pytest.approx(found.model.memory(many.layout.nodes, many.layout.concurrency))
    held = [sum(p.keeps_up for p in choice.at) for choice in found.choices]
    assert held == sorted(held), "more nodes keep up with at least as many rates"


def test_a_burst_heaps_up_what_comes_beyond_the_capacity(found: plan.Plan) -> None:
    ridden = found.ridden
    assert ridden and not ridden.holds
    assert ridden.backlog == pytest.approx((600.0 - found.capacity) * 600)
    assert ridden.wait == pytest.approx(ridden.backlog / found.capacity)
    drained = ridden.backlog / (found.capacity - 200.0)
    assert ridden.drained == (pytest.approx(drained) if drained < 3000 else None)


def test_a_burst_that_the_plan_stands_is_simulated(family: Family) -> None:
    layout = Layout(nodes=2, concurrency=8, prefetch=1)
    calm = burst.ride(fit(family, 4), asked(100.0), layout, burst.parse("1.1x for 1m every 10m"))
    assert calm.holds and calm.backlog == 0 and calm.drained == 0


@pytest.mark.parametrize("text", ["3x", "3 for 10m every 1h", "3x for 10 every 1h", "1x for 1m every 2m"])
def test_what_is_no_burst(text: str) -> None:
    with pytest.raises(ValueError, match=r"burst|duration"):
        burst.parse(text)


def test_tasks_that_share_a_lock_are_limited_by_one_core_a_node() -> None:
    locked = replace(TRUE, by_node=True, work_s=0.0043, domain_s=0.005, total_s=0.0053, widest=64)
    family = made(locked, (8, 32, 64), pool="threads")
    model = fit(family, 4)
    one = Layout(nodes=1, concurrency=64, prefetch=1)
    alone = predict.capacity(model, one, 4)
    assert alone == pytest.approx(predict.capacity(locked, one, 4), rel=0.05)
    assert 0.8 / 0.005 < alone < 1 / 0.005, "a core's worth, less what the law takes"
    assert predict.capacity(model, replace(one, nodes=3), 4) == pytest.approx(3 * alone, rel=0.02)
    assert predict.capacity(model, replace(one, nodes=9), 4) == pytest.approx(4 / 0.0053, rel=0.05)
    assert advise.per_host(model, HOST, 8) == 4, "a node for each core"


def test_a_model_predicts_no_more_than_its_consumers_fetch() -> None:
    quick = replace(TRUE, services=np.full(100, 0.0005), law=Usl(one=0.0005, sigma=0.0, kappa=0.0),
                    work_s=0.0002, domain_s=0.0, total_s=0.0, loader_s=0.0)  # fmt: skip
    assert predict.capacity(quick, Layout(nodes=2, concurrency=8, prefetch=1), 4) == pytest.approx(2 / 0.0007)


@pytest.mark.parametrize(
    ("change", "words", "hint"),
    [
        ({"limit": 0.05}, "by any number of workers: where they stand idle", "shorter"),
        ({"host": Host(cores=4, memory=50 * MIB)}, "No host is big enough", "--host"),
        ({"concurrency": 40}, "more than twice the largest that was measured, 16", "the scenario made"),
        ({"nodes": 1, "rate": 5000.0}, "1 node with concurrency 32 cannot keep", "--nodes"),
        ({"rate": 5e6}, "No number of nodes", "lower rate"),
    ],
)
def test_why_there_is_no_plan(family: Family, change: dict[str, object], words: str, hint: str) -> None:
    with pytest.raises(UsageError) as told:
        plan.one(family, asked(**change), 4)  # type: ignore[arg-type]
    assert words in told.value.message and hint in told.value.hint


@pytest.mark.parametrize(
    ("family", "words"),
    [
        (made(concurrencies=(4,), trials=1), "measured with 4 slots"),
        (replace(made(trials=1), samples=()), "No trial"),
        (replace(made(trials=1), setup=replace(SETUP, fleet=(Workers(), Workers(name="b")))), "2 groups"),
    ],
)
def test_which_runs_cannot_be_planned(family: Family, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        fit(family, 4)


def test_solo_is_scaled_by_nodes() -> None:
    lone = made(concurrencies=(1,), trials=1, pool="solo")
    with pytest.raises(UsageError) as told:
        fit(lone, 4)
    assert "matrix.workers.nodes=[1, 2]" in told.value.hint
    samples = [trial(TRUE, 1, n, nodes=nodes) for nodes in (1, 2, 4) for n in range(2)]
    found = plan.one(replace(lone, samples=tuple(samples)), asked(100.0), 4)
    assert (found.layout.concurrency, found.layout.nodes >= 7) == (1, True), "120/s × 57 ms are 6.8 slots"


def test_the_cheapest_family_comes_first_and_the_others_are_told() -> None:
    heavy = replace(TRUE, node_bytes=500 * MIB)
    one = replace(made(heavy, trials=1), settings={"workers.pool": "heavy"})
    two, lone = made(trials=1), made(concurrencies=(4,), trials=1)
    lone = replace(lone, settings={"workers.pool": "lone"})
    found = plan.of("r", [one, two, lone], asked(50.0), 4)
    assert [p.family.settings["workers.pool"] for p in found.plans] == ["prefork", "heavy"]
    ((family, why),) = found.refused
    assert family is lone and "measured with 4 slots" in why


def test_different_work_has_no_cheapest() -> None:
    other = replace(SETUP, workload=(TaskCall(task="noop"),))
    families = [
        replace(made(trials=1), settings={"workload": "a"}),
        replace(made(trials=1), setup=other, settings={"workload": "b"}),
    ]
    with pytest.raises(UsageError, match="2 workloads") as told:
        plan.of("r", families, asked(), 4)
    assert told.value.hint == "Choose it: --only workload=a or --only workload=b"


def test_slots_that_were_hardly_busy_tell_nothing_of_contention() -> None:
    """Two cells of a calm load, in which the second happened to be slower: no law is made of that."""
    calm = [replace(trial(TRUE, c, 1), busy=busy) for c, busy in ((4, 1.5), (8, 1.6))]
    calm[1] = replace(calm[1], services=calm[1].services * 1.1)
    family = replace(made(trials=1), samples=tuple(calm))
    assert (fit(family, 4).law.sigma, fit(family, 4).law.kappa) == (0.0, 0.0)


COMPUTING = replace(
    TRUE, services=np.random.default_rng(1).lognormal(math.log(0.004), 0.1, 4000), work_s=0.004,
    law=Usl(one=0.004 * math.exp(0.005), sigma=0.0, kappa=0.0), domain_s=0.0048, total_s=0.0048, cores=2,
    usable=0.9,
)  # fmt: skip
"""Processes that compute, on two cores that never get fuller than nine tenths."""


def flooded(model: Model, concurrency: int, number: int) -> Sample:
    """A flood that knows its throughput."""
    sample = trial(model, concurrency, number)
    layout = Layout(nodes=1, concurrency=concurrency, prefetch=1)
    rate = predict.capacity(model.beside_loader(), layout, model.cores)
    return replace(sample, flood=True, metrics={"throughput": rate})


def test_cores_get_as_full_as_they_got_in_a_flood_that_asked_for_more() -> None:
    layout = Layout(nodes=1, concurrency=8, prefetch=1)
    samples = [flooded(COMPUTING, c, n) for c in (1, 2, 4) for n in range(4)]
    full = fit(replace(made(trials=1), samples=tuple(samples)), 2)
    assert full.usable == pytest.approx(0.9, abs=0.03)
    assert full.law.one == pytest.approx(COMPUTING.law.one, rel=0.05), "full cores do not make a task shorter"
    assert predict.capacity(full, layout, 2) == pytest.approx(
        predict.capacity(COMPUTING, layout, 2), rel=0.05
    )
    few = fit(replace(made(trials=1), samples=tuple(s for s in samples if s.concurrency < 4)), 2)
    assert few.usable == 1.0, "two processes do not ask for more than two cores"


def test_a_flood_that_its_consumer_holds_up_does_not_show_how_full_the_cores_get() -> None:
    """Tasks of next to nothing: one node fetches 1 430 a second, which is not even one core of four."""
    tiny = replace(
        TRUE, services=np.full(4000, 1e-4), law=Usl(one=1e-4, sigma=0.0, kappa=0.0), work_s=1e-4,
        domain_s=9e-4, total_s=9e-4,
    )  # fmt: skip
    samples = [flooded(tiny, c, n) for c in (2, 4, 8) for n in range(4)]
    assert fit(replace(made(trials=1), samples=tuple(samples)), 4).usable == 1.0


def test_a_model_that_its_own_floods_disprove_says_so(family: Family) -> None:
    layout = Layout(nodes=1, concurrency=16, prefetch=1)
    true = predict.capacity(TRUE, layout, 4)

    def misfit(rate: float, least: int = 0) -> str:
        samples = [
            replace(s, flood=s.concurrency == 16, metrics={"throughput": rate}, services=s.services[least:])
            for s in family.samples
        ]
        own = replace(family, samples=tuple(samples))
        model = fit(own, 4)
        planned = predict.predict(model, layout, 0.5 * true, 4)
        told = doubts.of(own, model, asked(), layout, planned)
        return next((d.advice for d in told if d.kind == "misfit"), "")

    assert not misfit(true)
    assert "other processes" in misfit(0.6 * true, least=0) and misfit(1.6 * true)
    assert "10 tasks a slot" in misfit(0.6 * true, least=800 - 160), "short floods are a reason of their own"


def dearer(sample: Sample) -> Sample:
    """The same workers, given one message after the other."""
    return replace(
        sample, cell=f"{sample.cell}-paced", flood=False, busy=0.6 * sample.busy,
        consumer_s=sample.consumer_s + 0.0003, loader_s=sample.loader_s + 0.0005,
    )  # fmt: skip


def test_what_a_message_costs_is_that_of_a_load_like_the_planned_one(family: Family) -> None:
    floods = replace(family, samples=tuple(replace(s, flood=True) for s in family.samples))
    both = replace(
        floods, samples=(*floods.samples, *(dearer(s) for s in floods.samples if s.concurrency == 8))
    )
    only, paced, flooded = fit(floods, 4), fit(both, 4), fit(both, 4, floods=True)
    assert flooded.total_s == only.total_s and flooded.loader_s == only.loader_s
    assert paced.total_s == pytest.approx(only.total_s + 0.0003, rel=0.02)
    assert paced.loader_s == pytest.approx(only.loader_s + 0.0005)
    assert fit(floods, 4, floods=False).total_s == only.total_s, "there is nothing else"


def test_the_loader_takes_its_share_of_the_cores_where_it_runs() -> None:
    layout = Layout(nodes=1, concurrency=16, prefetch=1)
    heavy = replace(TRUE, work_s=0.03, domain_s=0.031, total_s=0.031, loader_s=0.004)
    rate = 0.9 * predict.capacity(heavy.beside_loader(), layout, 4)
    alone, beside = (predict.predict(model, layout, rate, 4) for model in (heavy, heavy.beside_loader()))
    assert beside.cpu - alone.cpu == pytest.approx(rate * 0.004 / 4)
    assert beside.metrics["p95(response)"] > alone.metrics["p95(response)"]
    locked = replace(TRUE, by_node=True).beside_loader()
    assert locked.domain_s == TRUE.domain_s, "the lock is the workers' own"


def test_the_verification_is_foretold_with_the_loader_beside_it(found: plan.Plan) -> None:
    model = replace(found.model, work_s=0.008, domain_s=0.01, total_s=0.01, loader_s=0.0)
    free = verify.foreseen(replace(found, model=model))
    shared = verify.foreseen(replace(found, model=replace(model, loader_s=0.006)))
    assert shared.metrics["p95(response)"] > free.metrics["p95(response)"]
    assert shared.upper.keys() == free.upper.keys() == found.planned.upper.keys()


def test_floods_alone_are_a_doubt_where_cpu_counts(family: Family) -> None:
    layout = Layout(nodes=1, concurrency=16, prefetch=1)
    floods = [replace(s, flood=True, metrics={"throughput": 250.0}) for s in family.samples]
    some = [*floods, *map(dearer, floods)]

    def doubted(samples: list[Sample], share: float) -> str:
        own = replace(family, samples=tuple(samples))
        model = fit(own, 4)
        planned = predict.Prediction(rate=200.0, metrics={}, utilisation=0.5, cpu=share)
        told = doubts.of(own, model, asked(), layout, planned)
        return next((d.advice for d in told if d.kind == "only-floods"), "")

    both = "flood: {shape: flood, tasks: 1000}, paced: {shape: poisson, rate: 190/s, for: 20s}"
    assert both in doubted(floods, 0.6)
    assert not doubted(floods, 0.3) and not doubted(some, 0.6)


def test_a_plan_that_may_fall_behind_says_so(family: Family, found: plan.Plan) -> None:
    assert "tight" not in [doubt.kind for doubt in found.doubts]
    most = found.capacity
    close = plan.one(family, asked(0.97 * most, 60.0, headroom=0.0, nodes=found.layout.nodes), 4)
    (tight,) = [doubt for doubt in close.doubts if doubt.kind == "tight"]
    assert str(close.layout.nodes + 1) in tight.advice
    assert np.isinf(close.planned.upper["p95(response)"])


def test_the_verification_runs_just_the_plan(found: plan.Plan) -> None:
    asked = verify.scenario(found, "r")
    (cell,) = asked.cells
    (group,) = cell.setup.fleet
    layout = found.layout
    assert (group.nodes, group.concurrency, group.prefetch) == (
        layout.nodes, layout.concurrency, layout.prefetch,
    )  # fmt: skip
    load = cell.setup.load
    assert (load.shape, load.rate) == ("poisson", 200.0) and load.shape != CHAINED
    assert load.count >= 400, "twice what a p95 needs"
    assert grammar.parse(asked.gates[0]).limit == 0.4


def test_what_does_not_fit_this_machine(found: plan.Plan) -> None:
    here = Host(cores=4, memory=8 * GIB)
    several = replace(found, layout=replace(found.layout, hosts=3))
    assert verify.hindrance(replace(found, layout=replace(found.layout, hosts=1)), here) == ""
    assert "3 hosts" in verify.hindrance(several, here)
    assert "4 cores, and this one has 2" in verify.hindrance(found, replace(here, cores=2))


SHORT, LONG = 0.02, 0.12


def mixing(short: int, long: int) -> Model:
    """That draw their tasks in these shares; both kinds compute a tenth of their time."""
    rng = np.random.default_rng(1)
    services = rng.permutation(
        np.concatenate([rng.gamma(50, SHORT / 50, 1000 * short), rng.gamma(50, LONG / 50, 1000 * long)])
    )
    one = float(services.mean())
    law = replace(TRUE.law, one=one)
    work, more = 0.1 * one, TRUE.domain_s - TRUE.work_s
    return replace(TRUE, services=services, law=law, work_s=work, domain_s=work + more, total_s=work + more)


def mixed(short: int, long: int) -> Family:
    model = mixing(short, long)
    samples = [trial(model, c, n) for c in (2, 4, 8, 16) for n in range(4)]
    kinds = [replace(s, kinds=(s.services > (SHORT + LONG) / 2).astype(int)) for s in samples]
    calls = (TaskCall(task="io.sleep", weight=short), TaskCall(task="noop", weight=long))
    setup = replace(SETUP, fleet=(Workers(pool="prefork"),), workload=calls)
    return Family(scenario="m", settings={}, setup=setup, samples=tuple(kinds), by_node=False)


def test_a_shifted_family_is_what_would_have_been_measured() -> None:
    found = fit(mix.shifted(mixed(3, 1), (1, 1)), 4)
    true = fit(mixed(1, 1), 4)
    assert found.services.mean() == pytest.approx(true.services.mean(), rel=0.05)
    assert np.quantile(found.services, 0.95) == pytest.approx(np.quantile(true.services, 0.95), rel=0.05)
    assert found.work_s == pytest.approx(true.work_s, rel=0.1)
    assert found.services.mean() > 1.4 * fit(mixed(3, 1), 4).services.mean()


def test_the_measured_mix_changes_nothing() -> None:
    family = mixed(3, 1)
    found, same = fit(mix.shifted(family, (3, 1)), 4), fit(family, 4)
    drawn = 0.03  # tasks are drawn one by one here: a trial has 3:1 within some percent only
    assert found.services.mean() == pytest.approx(same.services.mean(), rel=drawn)
    assert found.work_s == pytest.approx(same.work_s, rel=drawn)


def test_more_long_tasks_need_more_workers_and_the_plan_says_it_guesses() -> None:
    family = mixed(3, 1)
    model = fit(family, 4)
    as_measured = advise.smallest(family, model, asked(rate=100))
    longer = plan.one(family, asked(rate=100, mix=(1.0, 3.0)), 4)
    assert longer.layout.slots > 1.5 * as_measured.slots
    assert "other-mix" in {doubt.kind for doubt in longer.doubts}
    planned = plan.one(family, asked(rate=100), 4)
    assert planned.layout == as_measured
    assert "other-mix" not in {doubt.kind for doubt in planned.doubts}
    assert [call.weight for call in longer.family.setup.workload] == [1.0, 3.0]
    assert not longer.measured, "points of the measured mix are no points of this one"


def test_a_kind_may_be_left_out() -> None:
    for weights, kind in (((1, 0), 0), ((0, 1), 1)):
        family = mix.shifted(mixed(3, 1), weights)
        assert {int(k) for sample in family.samples for k in sample.kinds} == {kind}
        assert (fit(family, 4).services.mean() > (SHORT + LONG) / 2) == bool(kind)


def test_mistakes_are_told() -> None:
    family = mixed(3, 1)
    with pytest.raises(UsageError, match="3 weights, and the workload 2 kinds"):
        mix.shifted(family, (1, 2, 3))
    never = replace(family, samples=tuple(replace(s, kinds=0 * s.kinds) for s in family.samples))
    with pytest.raises(UsageError, match="No noop has ended"):
        mix.shifted(never, (1, 1))
    assert mix.parse("3:1") == (3, 1)
    for text in ("3;1", "0:0", "-1:2", "inf:1", "nan:1", ""):
        with pytest.raises(ValueError, match=r"mix|weight"):
            mix.parse(text)
