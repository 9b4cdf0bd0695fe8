"""E-mail through a real SMTP dialogue with the harness's loopback server."""

import os

from .attempts import Share, again, key


def send(
    kib: float = 4.0,
    refusals: Share = 0.05,
    retries: int = 3,
    backoff: float = 0.1,
    jitter: bool = True,
) -> int:
    """Send one e-mail of ``kib`` KiB of text; the server answers 451 (try later) with probability
    ``refusals``, drawn from the task and the attempt. On a 4xx it is retried like ``flaky``. Returns
    the size in bytes.
    """
    import smtplib
    from email.message import EmailMessage

    address = os.environ.get("CELERY_BENCH_SMTP")
    if address is None:
        raise RuntimeError("CELERY_BENCH_SMTP is not set: mail.send runs only inside a trial")
    message = EmailMessage()
    message["From"], message["To"] = "shop@example.org", "customer@example.org"
    message["Subject"] = "Your order is on its way"
    message["X-Bench-Key"], message["X-Bench-Refusals"] = key(), str(refusals)
    message.set_content("Thank you for your order. It left our house today.\n" * round(kib * 20))
    host, _, port = address.rpartition(":")
    try:
        # a local_hostname, else smtplib asks the name service who we are
        with smtplib.SMTP(host, int(port), local_hostname="localhost", timeout=30) as server:
            server.send_message(message)
    except smtplib.SMTPResponseException as error:
        if error.smtp_code // 100 != 4:
            raise
        again(error, retries=retries, backoff=backoff, jitter=jitter)
    return len(message.as_bytes())
