"""Who may read /metrics."""

from __future__ import annotations

import hmac
from ipaddress import ip_address

from django.http import HttpRequest

from discern.web.environment import load_environment


def may_scrape(request: HttpRequest) -> bool:
    """True with the metrics token, or without one set, from this machine.

    Behind a proxy every request comes from the proxy's address, so there only a token will do.
    """
    environment = load_environment()
    if environment.metrics_token is not None:
        wanted = f"Bearer {environment.metrics_token.get_secret_value()}"
        given = request.META.get("HTTP_AUTHORIZATION", "")
        return hmac.compare_digest(given.encode(), wanted.encode())
    return environment.proxies == 0 and _is_loopback(request.META.get("REMOTE_ADDR", ""))


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:  # a Unix socket has no address
        return False
