"""Starting on 100,000 sentences."""

import json
import urllib.request

import psutil
import pytest
import review_browser
import review_cases


def _get(server, path):
    with urllib.request.urlopen(f"{server.url}{path}", timeout=30) as response:
        return response.read()


def _cpu_seconds(server):
    """What the server has used so far; unlike the clock, it does not depend on what else the machine does."""
    used = psutil.Process(server.process.pid).cpu_times()
    return used.user + used.system


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_page_is_there_at_once_and_100_000_sentences_are_paged(tmp_path):
    path = review_cases.write(tmp_path / "p.jsonl", repeat=8_333)
    server = review_browser.Server(path, tmp_path / "l.jsonl")
    try:
        server.start(wait=False)
        server.wait(lambda status: True)
        assert b"Stanceline" in _get(server, "/")
        first = _cpu_seconds(server)
        server.wait(lambda status: status["is_ready"])
        assert json.loads(_get(server, "/api/status"))["sentences"] == 8_333 * 12 + 7
        server.kill()

        server.start()
        again = _cpu_seconds(server)
        page = _get(server, "/api/predictions?field=sentiment&sort=least_certain&offset=90000&limit=50")
        assert len(json.loads(page)["sentences"]) == 50
        deep = _cpu_seconds(server) - again
        print(f"first page {first:.2f} s, with its index {again:.2f} s, deep page {deep:.2f} s")
        assert first < 3
        assert again < 3
        assert deep < 1.5
    finally:
        server.kill()
