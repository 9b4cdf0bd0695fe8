"""Human units at the edges: parse "250ms", "1.5GiB", "500/s", "2%", and write numbers with three digits.

Inside the program everything is SI: seconds, bytes, 1/s.
"""

import re

_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-zµ%/]*)\s*\Z")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_BYTES = {
    "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9,
    "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40,
}  # fmt: skip
_RATES = {"/s": 1.0, "/m": 1 / 60, "/min": 1 / 60, "/h": 1 / 3600}
_QUERY = re.compile(r"([?&](?:\w*_)?password=)[^&\s'\"]*")
_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):(?:[^\s/@]|@(?=[^\s/]*@))+(?=@)")


def _parse(text: str, units: dict[str, float], noun: str) -> float:
    match = _NUMBER.match(text)
    if not match or match[2] not in units:
        known = ", ".join(u for u in units if u)
        raise ValueError(f"{text!r} is not {noun}: write a number and one of {known}")
    return float(match[1]) * units[match[2]]


def duration(text: str) -> float:
    """Seconds in "250ms", "1.5s", "2m". Raises ValueError without a unit."""
    return _parse(text, _SECONDS, "a duration")


def size(text: str) -> float:
    """Bytes in "400MiB", "1.5GB". Raises ValueError without a unit."""
    return _parse(text, _BYTES, "a size")


def rate(text: str) -> float:
    """Events a second in "500/s", "30/min". Raises ValueError without a unit."""
    return _parse(text, _RATES, "a rate")


def quantity(text: str) -> float:
    """Any of the above, a percentage ("2%" is 0.02) or a bare number, in SI."""
    return _parse(text, {**_SECONDS, **_BYTES, **_RATES, "%": 0.01, "": 1.0}, "a quantity")


def _digits(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ") if abs(value) >= 99.95 else f"{value:.3g}"


def format_duration(seconds: float) -> str:
    """ "12.3 ms", "1.20 s", "3 min 20 s"."""
    if abs(seconds) >= 120:
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        parts = ((hours, "h"), (minutes, "min")) if hours else ((minutes, "min"), (rest, "s"))
        return " ".join(f"{number} {unit}" for number, unit in parts if number)
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if abs(seconds) >= scale * 0.9995:
            return f"{_digits(seconds / scale)} {unit}"
    return "0 s" if seconds == 0 else f"{_digits(seconds / 1e-6)} µs"


def format_size(value: float) -> str:
    """ "85.3 MiB"."""
    for unit in ("GiB", "MiB", "KiB"):
        if abs(value) >= _BYTES[unit]:
            return f"{_digits(value / _BYTES[unit])} {unit}"
    return f"{value:.0f} B"


def format_rate(value: float) -> str:
    """ "1 440/s"."""
    return f"{_digits(value)}/s"


def format_ratio(value: float) -> str:
    """ "1.93 ×"."""
    return f"{_digits(value)} ×"


def format_count(value: float) -> str:
    """ "1 440"; of several trials the mean, with a digit behind the point where it has one."""
    return _digits(value) if value >= 1000 else f"{value:.4g}"


def format_metric(name: str, value: float) -> str:
    """A metric's value in the unit a person reads."""
    if name.endswith(")") or name in ("makespan", "cpu_per_task"):
        return format_duration(value)
    if name in ("throughput", "items", "capacity"):
        return format_rate(value)
    if name == "memory":
        return format_size(value)
    if name == "utilisation":
        return f"{value * 100:.3g} %"
    if name == "cpu":
        return f"{value:.2f} cores"
    return f"{value:.3g}"


def plural(n: int, noun: str) -> str:
    """``1 trial``, ``2 trials``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def hide_password(text: str) -> str:
    """The text with the password of every URL in it replaced by ``***``, also one in the query."""
    return _QUERY.sub(r"\1***", _PASSWORD.sub(r"\1:***", text))
