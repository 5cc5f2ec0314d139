"""Response headers that keep the console to its own origin: no outside script, style or frame."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src-elem 'self'",
    # Plots and component libraries set style attributes; these cannot load or run anything.
    "style-src-attr 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "media-src 'self' blob:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
)
_PERMISSIONS = "camera=(self), microphone=(), geolocation=(), payment=(), usb=()"


def content_security_policy(nonce: str | None = None) -> str:
    """The policy's text; with ``nonce`` (per response) scripts and style elements bearing it
    run too, which the console's own page needs for its component library."""
    if nonce is None:
        return "; ".join(_POLICY)
    marked = {"script-src 'self'", "style-src-elem 'self'"}
    return "; ".join(f"{rule} 'nonce-{nonce}'" if rule in marked else rule for rule in _POLICY)


_PLAIN_POLICY = content_security_policy()


class SecurityHeadersMiddleware:
    """Adds the headers Django's own middleware does not know."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        headers = response.headers
        headers.setdefault("Content-Security-Policy", _PLAIN_POLICY)
        headers.setdefault("Permissions-Policy", _PERMISSIONS)
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return response
