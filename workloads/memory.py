"""Memory that a worker must really have."""

import time


def hold(mib: float, seconds: float = 0.0) -> int:
    """Touch every page of ``mib`` MiB and keep them for ``seconds``."""
    block = bytearray(round(mib * 2**20))
    block[::4096] = b"\x01" * len(block[::4096])
    time.sleep(seconds)
    return len(block)
