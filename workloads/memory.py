"""Memory that a worker must really have."""

import time

from .amounts import Amount, draw


def hold(mib: Amount, seconds: Amount = 0.0) -> int:
    """Touch every page of ``mib`` MiB and keep them for ``seconds``."""
    block = bytearray(round(draw(mib) * 2**20))
    block[::4096] = b"\x01" * len(block[::4096])
    time.sleep(draw(seconds))
    return len(block)


_leaked: list[bytearray] = []


def leak(mib: float) -> int:
    """Grow its process by ``mib`` MiB that are never given back."""
    block = bytearray(round(mib * 2**20))
    block[::4096] = b"\x01" * len(block[::4096])
    _leaked.append(block)
    return len(_leaked)
