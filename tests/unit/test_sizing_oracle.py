"""The simulated fleet against Ciw, a simulation of queues by other people, where both can say the same."""

import math

import ciw
import numpy as np
import pytest

from bench.sizing.simulate import Fleet, run

N = 12_000
WARM = 1_000


def of_ciw(network: ciw.network.Network, seed: int, **more: object) -> np.ndarray:
    """Responses of the customers after the first, in the order they came."""
    ciw.seed(seed)
    simulation = ciw.Simulation(network, **more)
    simulation.simulate_until_max_customers(N, method="Complete")
    records = sorted(simulation.get_all_records(), key=lambda r: r.arrival_date)
    return np.array([r.exit_date - r.arrival_date for r in records])[WARM:]


def of_ours(fleet: Fleet, rate: float, services: np.ndarray, seed: int) -> np.ndarray:
    arrivals = np.cumsum(np.random.default_rng(seed).exponential(1 / rate, services.size))
    return run(fleet, arrivals, services).response[WARM:]


def alike(ours: np.ndarray, theirs: np.ndarray, rel: float = 0.1) -> None:
    assert ours.mean() == pytest.approx(theirs.mean(), rel=rel)
    for level in (0.5, 0.95):
        assert np.quantile(ours, level) == pytest.approx(np.quantile(theirs, level), rel=rel), level


def test_slots_and_lognormal_services() -> None:
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(2.2)],
        service_distributions=[ciw.dists.Lognormal(-0.3, 0.8)],
        number_of_servers=[3],
    )
    theirs = np.concatenate([of_ciw(network, seed) for seed in (1, 2)])
    services = np.random.default_rng(3).lognormal(-0.3, 0.8, 3 * N)
    alike(of_ours(Fleet(concurrency=3), 2.2, services, 4), theirs, 0.12)


def test_a_consumer_before_the_slots_is_a_queue_before_a_queue() -> None:
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(6.0), None],
        service_distributions=[ciw.dists.Deterministic(0.1), ciw.dists.Exponential(1.0)],
        number_of_servers=[1, 9],
        routing=[[0.0, 1.0], [0.0, 0.0]],
    )
    ciw.seed(5)
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(N, method="Complete")
    whole: dict[int, list[float]] = {}
    for record in simulation.get_all_records():
        whole.setdefault(record.id_number, []).extend((record.arrival_date, record.exit_date))
    spans = sorted((min(times), max(times)) for times in whole.values() if len(times) == 4)
    theirs = np.array([end - begin for begin, end in spans])[WARM:]
    services = np.random.default_rng(6).exponential(1.0, 3 * N)
    alike(of_ours(Fleet(concurrency=9, consumer_s=0.1), 6.0, services, 7), theirs)


def test_cores_that_are_shared() -> None:
    """Two cores, any number of tasks: Ciw's own processor sharing against the virtual clock."""
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(1.4)],
        service_distributions=[ciw.dists.Uniform(0.2, 1.8)],
        number_of_servers=[math.inf],
        ps_thresholds=[2],
    )
    theirs = of_ciw(network, 8, node_class=ciw.PSNode)
    services = np.random.default_rng(9).uniform(0.2, 1.8, 3 * N)
    fleet = Fleet(concurrency=200, slowdown=tuple(max(1.0, b / 2) for b in range(201)))
    alike(of_ours(fleet, 1.4, services, 10), theirs)
