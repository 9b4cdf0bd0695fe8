"""The simulated fleet against queueing theory, and against what prefetching is known to do."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.sizing import theory
from bench.sizing.simulate import Course, Fleet, run

Floats = NDArray[np.float64]
N = 60_000


def poisson(rate: float, rng: np.random.Generator, n: int = N) -> Floats:
    return np.cumsum(rng.exponential(1 / rate, n))


def mean_wait(course: Course) -> float:
    """Over five independent starts the mean is known to a few percent; the first tenth settles."""
    return float((course.started - course.arrived)[N // 10 :].mean())


@pytest.mark.parametrize(("slots", "load"), [(1, 0.5), (3, 0.8), (20, 0.85)])
def test_exponential_services_wait_as_erlang_says(slots: int, load: float) -> None:
    rng = np.random.default_rng(1)
    rate = load * slots
    waits = [
        mean_wait(run(Fleet(concurrency=slots), poisson(rate, rng), rng.exponential(1, N))) for _ in range(4)
    ]
    assert np.mean(waits) == pytest.approx(theory.mmc_wait(slots, rate, 1.0), rel=0.08)


def test_the_quantile_of_the_response_is_that_of_m_m_c() -> None:
    rng = np.random.default_rng(2)
    course = run(Fleet(concurrency=4), poisson(2.4, rng), rng.exponential(1, N))
    for level in (0.5, 0.95, 0.99):
        expected = theory.mmc_response(4, 2.4, 1.0, level)
        assert np.quantile(course.response, level) == pytest.approx(expected, rel=0.07)


def test_the_quantile_has_no_gap_where_both_speeds_are_equal() -> None:
    around = [theory.mmc_response(2, rate, 1.0, 0.9) for rate in (0.999, 1.0, 1.001)]
    assert around == sorted(around) and around[2] / around[0] < 1.01


@pytest.mark.parametrize(
    "draw",
    [
        lambda _: np.ones(N),  # M/D/1
        lambda rng: rng.choice([0.2, 5.0], N, p=[5 / 6, 1 / 6]),
        lambda rng: rng.lognormal(-0.5, 1.0, N),
    ],
)
def test_any_service_waits_as_pollaczek_and_khinchine_say(draw) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(3)
    services = draw(rng)
    rate = 0.7 / services.mean()
    waits = [mean_wait(run(Fleet(concurrency=1), poisson(rate, rng), services)) for _ in range(6)]
    assert np.mean(waits) == pytest.approx(theory.mg1_wait(rate, services.tolist()), rel=0.1)


def test_a_shared_core_is_processor_sharing() -> None:
    """M/G/1-PS: a task of length s takes s ÷ (1 − load) on average, whatever the others are like."""
    rng = np.random.default_rng(4)
    services = rng.choice([0.5, 3.0], N, p=[0.8, 0.2])
    fleet = Fleet(concurrency=300, slowdown=tuple(float(max(1, b)) for b in range(301)))
    course = run(fleet, poisson(0.7, rng), services)
    for length in (0.5, 3.0):
        took = (course.ended - course.started)[services == length].mean()
        assert took == pytest.approx(length / (1 - 0.7), rel=0.06)


def test_two_tasks_that_overlap_slow_each_other_down_exactly() -> None:
    fleet = Fleet(concurrency=2, slowdown=(1, 1, 2))
    course = run(fleet, np.array([0.0, 1.0]), np.array([2.0, 2.0]))
    assert course.ended.tolist() == pytest.approx([3.0, 4.0]), "alone 0–1 and 3–4, at half speed 1–3"


def test_domains_do_not_slow_each_other_down() -> None:
    slowdown, at, services = (1.0, 1.0, 2.0), np.zeros(2), np.ones(2)
    one = run(Fleet(nodes=2, concurrency=1, slowdown=slowdown), at, services)
    two = run(Fleet(nodes=2, concurrency=1, domains=2, slowdown=(*slowdown, 2.0)), at, services)
    assert (one.ended.max(), two.ended.max()) == (2.0, 1.0)


@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize("prefetch", [0, 2, 3, 8])
@pytest.mark.parametrize("nodes", [1, 3])
def test_both_ways_come_to_the_same(nodes: int, prefetch: int, late: bool) -> None:
    """A slowdown that is none to the last digit, and yet takes the way of those that are."""
    rng = np.random.default_rng(5)
    arrivals, services = poisson(5.0, rng, 3000), rng.exponential(1, 3000)
    most = nodes * 2
    plain = Fleet(nodes=nodes, concurrency=2, prefetch=prefetch, late=late, consumer_s=0.01, dispatch_s=0.02)
    shared = Fleet(
        nodes=nodes, concurrency=2, prefetch=prefetch, late=late, consumer_s=0.01, dispatch_s=0.02,
        slowdown=(1.0,) * most + (1.0 + 1e-15,),
    )  # fmt: skip
    one, two = run(plain, arrivals, services), run(shared, arrivals, services)
    for name in ("received", "started", "ended"):
        assert getattr(one, name) == pytest.approx(getattr(two, name), abs=1e-6), name


def test_a_busy_consumer_is_the_limit() -> None:
    course = run(Fleet(concurrency=10, consumer_s=0.1), np.zeros(100), np.full(100, 0.2))
    assert course.received.tolist() == pytest.approx(np.arange(1, 101) * 0.1)
    two = run(Fleet(nodes=2, concurrency=10, consumer_s=0.1), np.zeros(100), np.full(100, 0.2))
    assert two.ended.max() == pytest.approx(course.ended.max() / 2, rel=0.05)


def test_early_acks_hold_running_and_prefetched_late_ones_only_the_count() -> None:
    at, services = np.zeros(20), np.full(20, 10.0)
    early = run(Fleet(concurrency=2, prefetch=2, consumer_s=0.001), at, services)
    late = run(Fleet(concurrency=2, prefetch=2, late=True, consumer_s=0.001), at, services)
    assert (early.received < 1).sum() == 4, "two that run and two that wait"
    assert (late.received < 1).sum() == 2
    unlimited = run(Fleet(concurrency=2, consumer_s=0.001), at, services)
    assert (unlimited.received < 1).sum() == 20


def test_what_a_busy_node_has_fetched_no_idle_one_can_take() -> None:
    """One long task first: with a deep prefetch its node hoards short ones that others could have done."""
    services = np.array([100.0, *[1.0] * 20])
    ends = {
        prefetch: run(Fleet(nodes=2, concurrency=1, prefetch=prefetch), np.zeros(21), services).ended.max()
        for prefetch in (1, 5, 0)
    }
    assert ends == {1: 101.0, 5: 105.0, 0: 110.0}


def test_late_acks_with_a_count_of_one_hoard_nothing() -> None:
    services = np.array([100.0, *[1.0] * 20])
    course = run(Fleet(nodes=2, concurrency=1, prefetch=1, late=True), np.zeros(21), services)
    assert course.ended.max() == 100.0 and np.sort(course.ended)[-2] == 20.0


def test_the_node_that_waits_longest_is_next() -> None:
    course = run(Fleet(nodes=3, concurrency=1), np.arange(6.0), np.full(6, 0.1))
    assert course.node.tolist() == [0, 1, 2, 0, 1, 2]


def test_it_is_fast_enough_to_search_with() -> None:
    """200 000 tasks a second on an idle machine; a tenth of that still holds on a busy one."""
    import time

    rng = np.random.default_rng(6)
    arrivals, services = poisson(30.0, rng), rng.exponential(1, N)
    began = time.process_time()
    run(Fleet(nodes=10, concurrency=4, prefetch=4), arrivals, services)
    assert N / (time.process_time() - began) > 20_000


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ValueError, match="2 arrivals, but 3 service"):
        run(Fleet(concurrency=1), np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="4 busy slots"):
        run(Fleet(concurrency=4, slowdown=(1, 1, 2)), np.zeros(2), np.zeros(2))


def test_tasks_that_compute_and_wait_share_the_cores() -> None:
    assert theory.sharing(1, 3.0, 17.0, 2) == pytest.approx(20.0)
    assert theory.sharing(6, 5.0, 0.0, 2) == pytest.approx(15.0), "nothing waits: six on two cores"
    assert theory.sharing(64, 3.0, 17.0, 2) == pytest.approx(64 * 3 / 2, rel=0.01), "the cores are full"
    rising = [theory.sharing(b, 3.0, 17.0, 2) for b in range(2, 40)]
    assert rising == sorted(rising) and rising[0] >= 20.0
