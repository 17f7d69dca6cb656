import json
import socket
import threading
import time
import urllib.error
import urllib.request

import pytest
import review_cases
import uvicorn

from stanceline.errors import InputError, OutputError, UsageError
from stanceline.review import serve


@pytest.fixture
def files(tmp_path):
    return review_cases.write(tmp_path / "p.jsonl"), tmp_path / "l.jsonl"


def start(files, **options):
    serve(*files, open_browser=False, report=options.pop("report", lambda line: None), **{"port": 0, **options})


def test_a_wrong_row_far_into_the_file_ends_the_server_with_its_line(files):
    rows = review_cases.rows()
    rows[9]["sentiment"] = "cheerful"
    files[0].write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(InputError, match=r"p\.jsonl line 10: sentiment is 'cheerful'"):
        start(files)


def test_a_missing_file_a_taken_port_and_a_weak_token_are_told_before_anything_starts(files, tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        start((tmp_path / "none.jsonl", files[1]))
    with pytest.raises(OutputError, match="there is no folder"):
        start((files[0], tmp_path / "no" / "l.jsonl"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match=r"cannot listen on 127\.0\.0\.1, port"):
            start(files, port=taken.getsockname()[1])
    with pytest.raises(UsageError, match="--token"):
        start(files, token="short")
    with pytest.raises(UsageError, match="--codebook"):
        start(files, codebook=tmp_path / "none.md")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.jsonl"]


def test_another_address_asks_for_a_token_that_only_the_link_has(files, monkeypatch):
    lines, found = [], {}

    def ask():
        while len(lines) < 3:
            time.sleep(0.02)
        url, _, token = lines[1].strip().partition("?token=")
        api = f"http://127.0.0.1:{url.rstrip('/').rpartition(':')[2]}/api/status"
        for name, headers in (("without", {}), ("with", {"Authorization": f"Bearer {token}"})):
            try:
                with urllib.request.urlopen(urllib.request.Request(api, headers=headers), timeout=20) as response:
                    found[name] = response.status, json.load(response)["annotator"]
            except urllib.error.HTTPError as error:
                found[name] = error.code
                error.close()
        servers[0].should_exit = True

    servers = []
    real = uvicorn.Server
    monkeypatch.setattr(uvicorn, "Server", lambda config: servers.append(made := real(config)) or made)
    asking = threading.Thread(target=ask)
    asking.start()
    start(files, host="0.0.0.0", report=lines.append)
    asking.join(30)
    assert found == {"without": 401, "with": (200, "")}
    assert "not encrypted" in lines[2]
