"""Starts the review page: a socket, a token where it is needed, the index in the background."""

import contextlib
import getpass
import ipaddress
import re
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stanceline.checkpoint import shipped_folder
from stanceline.errors import UsageError
from stanceline.review.session import Review

if TYPE_CHECKING:
    import uvicorn

    from stanceline.classifier import StanceClassifier

DEFAULT_PORT = 8765
_TRIED_PORTS = 20
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,200}")


def serve(
    predictions: Path,
    labels: Path,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    open_browser: bool = True,
    annotator: str | None = None,
    token: str | None = None,
    allow_hosts: Sequence[str] = (),
    random_share: float = 0.2,
    seed: int = 0,
    codebook: Path | None = None,
    model: str | Path | None = None,
    report: Callable[[str], None] = print,
) -> None:
    """Serves the review page until it is interrupted. Every answer is on the disk before it is confirmed.

    Reads `predictions`, `labels` and the codebook. Writes `labels`, and beside it `LABELS.index`, which may be deleted.

    Args:
        predictions: A predictions file of `classify`.
        labels: Where the answers go; made with the first one.
        host: The address to listen on. Any but a loopback address needs a token, which is made if it is not given.
        port: None takes 8765, or the next that is free; 0 takes any.
        open_browser: Open the page.
        annotator: The name that the page starts with; None takes that of the user, or none for other machines.
        token: What every request must carry; 16 or more of A-Z a-z 0-9 _ -.
        allow_hosts: Further names that the server may be called by.
        random_share: The share of the queue that is drawn at random, 0 to 1.
        seed: Of those draws.
        codebook: What the answers follow; None takes the one of the shipped seeds.
        model: The checkpoint of `/api/classify`; None takes the default one.
        report: Called with each line that the person should see.

    Raises:
        UsageError: A value makes no sense, the port is taken, or the extra `review` is not installed.
        InputError, LabelError, OutputError: A file cannot be used.
    """
    try:
        import uvicorn

        from stanceline.review.api import create_app
        from stanceline.review.guard import Guard
    except ImportError as error:
        raise UsageError(f"{error.name} is missing; pip install 'stanceline[review]'") from error

    is_local = _is_loopback(host)
    token = _checked_token(token, is_local)
    review = Review(
        predictions,
        labels,
        random_share=random_share,
        seed=seed,
        codebook=codebook or _shipped_codebook(),
        warn=report,
    )
    listener = _listen(host, port)
    url = _url(host, listener.getsockname()[1], token)

    def load_classifier() -> "StanceClassifier":
        from stanceline.classifier import StanceClassifier

        return StanceClassifier.from_pretrained(model, device="cpu")

    def started() -> None:
        report(f"Reviewing {predictions}; answers go to {labels}. Ctrl-C ends.")
        report(f"  {url}")
        if not is_local:
            report("  Whoever has this link can read and answer. The connection is not encrypted.")
        if open_browser:
            webbrowser.open(url)

    if annotator is None:
        annotator = _user() if is_local else ""  # on other machines sit other people
    app = create_app(review, annotator=annotator, load_classifier=load_classifier, on_start=started)
    names = allow_hosts if is_local else (*allow_hosts, host, socket.gethostname())
    guarded = Guard(app, hosts=names, token=token, any_address=not is_local)
    config = uvicorn.Config(
        guarded, log_level="warning", access_log=False, server_header=False, ws="none", timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    failures = _load_in_background(review, server)
    with contextlib.suppress(KeyboardInterrupt), listener:
        server.run(sockets=[listener])
    review.close()
    if failures:
        raise failures[0]


def _load_in_background(review: Review, server: "uvicorn.Server") -> list[Exception]:
    """Makes the index while the page already shows how far it is; what stops it stops the server."""
    failures: list[Exception] = []

    def load() -> None:
        try:
            review.load()
        except Exception as error:  # it is raised again by the caller, whatever it is
            failures.append(error)
            server.should_exit = True

    threading.Thread(target=load, daemon=True, name="index").start()
    return failures


def _listen(host: str, port: int | None) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    tried = [port] if port is not None else range(DEFAULT_PORT, DEFAULT_PORT + _TRIED_PORTS)
    reason = ""
    for number in tried:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, number))
            listener.listen(128)
        except (OSError, OverflowError) as error:
            listener.close()
            reason = str(error)
        else:
            return listener
    where = f"port {port}" if port is not None else f"ports {DEFAULT_PORT} to {DEFAULT_PORT + _TRIED_PORTS - 1}"
    raise UsageError(f"cannot listen on {host}, {where}: {reason}; choose another --port or --host")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked_token(token: str | None, is_local: bool) -> str | None:
    if token is None:
        return None if is_local else secrets.token_urlsafe(24)
    if not _TOKEN.fullmatch(token):
        raise UsageError("--token: use 16 or more letters, digits, _ and -")
    return token


def _url(host: str, port: int, token: str | None) -> str:
    shown = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    shown = f"[{shown}]" if ":" in shown else shown
    return f"http://{shown}:{port}/" + (f"?token={token}" if token else "")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _shipped_codebook() -> Path | None:
    path = shipped_folder("seeds") / "codebook.md"
    return path if path.exists() else None
