"""Who may talk to the server: no other host name, no other site, nobody without the token. ASGI, around the app."""

import hmac
import ipaddress
import json
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "stanceline_token"
_PUBLIC = "/static/"  # the program itself holds nothing of the articles

HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


class Guard:
    """Refuses what does not come from the page or from somebody with the token, and sets the security headers.

    Args:
        app: What it guards.
        hosts: Names that the server may be called by, beside IP addresses and localhost.
        token: What every request must carry, as a cookie or as `Authorization: Bearer`; None asks for nothing.
        any_address: Accept any IP address as the Host; otherwise only those of this machine's loopback.
    """

    def __init__(self, app: ASGIApp, *, hosts: Collection[str] = (), token: str | None, any_address: bool) -> None:
        self.app = app
        self.hosts = {host.lower() for host in hosts} | {"localhost"}
        self.token = token
        self.any_address = any_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no websockets here: the connection is closed
        headers = Headers(scope=scope)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0] if scope["path"] == "/" else ""
        refusal = self._refusal(scope, headers, given)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    out[name] = value
                if self.token is not None and given and refusal is None:
                    out.append("Set-Cookie", f"{COOKIE}={self.token}; Path=/; HttpOnly; SameSite=Strict")
            await send(message)

        if refusal is None:
            await self.app(scope, receive, send_with_headers)
        else:
            await _refuse(*refusal, send_with_headers)

    def _refusal(self, scope: Scope, headers: Headers, given: str) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if not self._is_own(host):
            # Another name that leads here is how a foreign page reads a local server (DNS rebinding).
            return 400, f"this server does not answer to the name {host[:100]!r}; name it with --allow-host"
        if scope["method"] not in ("GET", "HEAD"):
            origin = headers.get("origin")
            is_foreign = origin is not None and origin.lower() != f"{scope['scheme']}://{host}".lower()
            if is_foreign or headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
                return 403, "only the review page itself may write"
        if self.token is None or scope["path"].startswith(_PUBLIC):
            return None
        carried = given or _bearer(headers) or _cookie(headers)
        if not hmac.compare_digest(carried.encode("utf-8", "surrogateescape"), self.token.encode()):
            return 401, "open the link that the server printed: it holds the token"
        return None

    def _is_own(self, host: str) -> bool:
        name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        if not name:
            name, port = host, ""
        if port and not port.isdecimal():
            return False
        if name.lower() in self.hosts:
            return True
        try:
            address = ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return self.any_address or address.is_loopback


def _bearer(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _cookie(headers: Headers) -> str:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel is not None else ""


async def _refuse(status: int, detail: str, send: Send) -> None:
    body = json.dumps({"detail": detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
