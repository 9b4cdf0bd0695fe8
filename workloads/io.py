"""Waiting: for time, and for a server."""

import http.client
import os
import time
from urllib.parse import urlsplit

from .amounts import Amount, draw


def sleep(seconds: Amount) -> None:
    """Wait, as for a slow service, with no work at all."""
    time.sleep(draw(seconds))


def http_get(seconds: Amount = 0.05) -> int:
    """One GET over a real socket to the harness's loopback server, which answers after ``seconds``."""
    base = os.environ.get("CELERY_BENCH_HTTP_URL")
    if base is None:
        raise RuntimeError("CELERY_BENCH_HTTP_URL is not set: io.http runs only inside a trial")
    seconds = draw(seconds)
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=seconds + 30)
    try:
        connection.request("GET", f"/?seconds={seconds}")
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise RuntimeError(f"the loopback server answered {response.status}")
        return response.status
    finally:
        connection.close()
