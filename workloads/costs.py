"""What one execution of each shipped task costs, roughly: a scenario's length is told before it runs.

Measured on one core of a shared machine. Each function takes what its task takes and answers with the
seconds that the task computes holding the GIL, computes without it, and waits. The wait for a next attempt
holds no slot.
"""

from collections.abc import Callable, Mapping

Cost = tuple[float, float, float]

HASH_MIB_PER_S = 800.0
"""SHA-256 on one core: 400 without instructions for it, 1 600 with them."""
FLOPS = 5e10
"""Operations a second of a matrix product in float32 on one core; measured: 9e10, without AVX a fifth."""


def _attempts(chance: float, retries: int) -> float:
    """How often a task runs on average when each attempt fails with this probability."""
    return float(sum(min(chance, 1.0) ** n for n in range(retries + 1)))


def _http_call(seconds: float, jitter: float, errors: float, retries: int, **_: object) -> Cost:
    often = _attempts(errors, retries)
    return often * 0.001, 0.0, often * (seconds + jitter / 2)


COSTS: Mapping[str, Callable[..., Cost]] = {
    "noop": lambda **_: (0.0, 0.0, 0.0),
    "fail": lambda **_: (0.0, 0.0, 0.0),
    "crash": lambda **_: (0.0, 0.0, 0.0),
    "flaky": lambda chance, retries, **_: (_attempts(chance, retries) * 0.001, 0.0, 0.0),
    "cpu.spin": lambda ms: (ms / 1000, 0.0, 0.0),
    "cpu.hash": lambda mib: (0.0, mib / HASH_MIB_PER_S, 0.0),
    "io.sleep": lambda seconds: (0.0, 0.0, seconds),
    "io.http": lambda seconds: (0.001, 0.0, seconds),
    "mixed": lambda cpu_ms, io_seconds: (cpu_ms / 1000, 0.0, io_seconds),
    "memory.hold": lambda mib, seconds: (mib / 1000, 0.0, seconds),
    "memory.leak": lambda mib: (mib / 1000, 0.0, 0.0),
    "mail.send": lambda refusals, retries, **_: (_attempts(refusals, retries) * 0.002, 0.0, 0.004),
    "http.call": _http_call,
    "image.resize": lambda width, height, **_: (0.001, width * height * 1.1e-8, 0.0),
    "csv.import": lambda rows, **_: (rows * 4.5e-6, rows * 1e-6, 0.001),
    "csv.export": lambda rows, **_: (rows * 1.6e-6, 0.0, 0.0),
    "report.render": lambda rows, **_: (rows * 9.2e-6, 0.0, 0.0),
    "files.clean": lambda files, **_: (files * 5e-5, 0.0, 0.0),
    "inference": lambda frames, width, layers, **_: (0.0, 2 * frames * width**2 * layers / FLOPS, 0.0),
}
