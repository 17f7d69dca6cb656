import asyncio
import json
import re

import pytest
import review_cases
import schemathesis
from hypothesis import given, settings
from schemathesis import GenerationMode
from starlette.testclient import TestClient

from stanceline.errors import CheckpointError
from stanceline.review.api import MAX_BODY, create_app
from stanceline.review.guard import Guard
from stanceline.review.session import Review

BASE = "http://127.0.0.1:8765"
TOKEN = "t0ken-t0ken-t0ken"


class StubClassifier:
    """Answers with two fixed sentences, so that no checkpoint is needed."""

    class manifest:  # noqa: N801
        reference = "tiny@0123456789ab"

    def classify_text(self, text, *, title=""):
        return [review_cases.prediction("text", index, line) for index, line in enumerate(text.split(".")) if line]


@pytest.fixture
def review(tmp_path):
    review = Review(review_cases.write(tmp_path / "p.jsonl", repeat=2), tmp_path / "l.jsonl")
    review.load()
    yield review
    review.close()


@pytest.fixture
def client(review):
    app = create_app(review, annotator="ana", load_classifier=StubClassifier)
    with TestClient(Guard(app, token=None, any_address=False), base_url=BASE) as client:
        yield client


def answer(label="favor", index=0, number=0, **others):
    asked = {"article_id": "harbour-0.txt", "sentence_index": index, "field": "harbour_tax", "label": label}
    return {"id": f"answer-{number:04}", "annotator": "ana", **asked, **others}


def test_the_queue_does_not_give_the_models_answer_away(client):
    query = {"field": "harbour_tax", "annotator": "ana", "count": 5}
    text = client.get("/api/labels/queue", params=query).text
    items = json.loads(text)["items"]
    assert len(items) == 5
    for item in items:
        for sentence in (item["sentence"], *item["before"], *item["after"]):
            assert sentence["predictions"] is None
            assert sentence["answers"] is None
    assert "confidence" not in text


def test_an_answer_returns_what_the_model_said_and_whom_it_contradicts(client, review):
    client.post("/api/labels", json=answer("against"))
    response = client.post("/api/labels", json=answer("none", number=1, annotator="ben"))
    assert response.status_code == 201
    recorded = response.json()
    assert recorded["sentence"]["predictions"]["harbour_tax"]["label"] == "favor"
    assert [a["annotator"] for a in recorded["conflicts"][0]["answers"]] == ["ana", "ben"]
    assert client.get("/api/status").json()["conflicts"] == 1
    assert client.get("/api/labels/export").status_code == 409
    assert len(review.labels.read_text(encoding="utf-8").splitlines()) == 2


def test_the_export_is_offered_as_a_file(client):
    client.post("/api/labels", json=answer("against", 3))
    response = client.get("/api/labels/export", params={"context": 0})
    assert response.status_code == 200
    assert "attachment" in response.headers["content-disposition"]
    (row,) = map(json.loads, response.text.splitlines())
    assert (row["article_id"], row["sentence_index"], row["harbour_tax"]) == ("harbour-0.txt", 3, "against")
    assert row["night_trains"] is None


def test_an_answer_to_other_predictions_is_refused(client, review):
    response = client.post("/api/labels", json=answer(predictions="0123456789abcdef"))
    assert response.status_code == 409
    assert client.post("/api/labels", json=answer(predictions=review.key)).status_code == 201


def test_undo_is_of_ones_own_answer(client):
    client.post("/api/labels", json=answer())
    undo = {"id": "undo-0001", "undoes": "answer-0000", "annotator": "ben"}
    assert client.post("/api/labels/undo", json=undo).status_code == 409
    response = client.post("/api/labels/undo", json={**undo, "annotator": "ana"})
    assert response.status_code == 201
    assert response.json()["sentence"]["answers"] == []
    assert client.get("/api/labels", params={"annotator": "ana"}).json() == {"answers": []}


def test_classify_labels_a_text_and_keeps_nothing(client, review):
    response = client.post("/api/classify", json={"text": "One. Two.", "title": "Both"})
    assert response.status_code == 200
    assert [s["text"] for s in response.json()["sentences"]] == ["One", " Two"]
    assert sorted(p.name for p in review.labels.parent.iterdir()) == ["l.jsonl.index", "p.jsonl"]


def test_classify_says_what_is_wrong_with_the_checkpoint(review):
    def broken():
        raise CheckpointError("models/default: no such checkpoint folder")

    with TestClient(create_app(review, load_classifier=broken), base_url=BASE) as client:
        response = client.post("/api/classify", json={"text": "One."})
    assert response.status_code == 503
    assert "no such checkpoint" in response.json()["detail"]


def test_the_summary_adds_up_and_its_intervals_hold_the_figure(client):
    summary = client.get("/api/predictions/summary", params={"field": "harbour_tax"}).json()
    total = summary["total"]
    assert sum(total["counts"].values()) == 31
    assert total["net"] == pytest.approx((8 - 8) / 23, abs=0.1)
    assert total["low"] <= total["net"] <= total["high"]
    assert [group["name"] for group in summary["by_time"]] == ["2024-01", "2024-02", "2024-05"]
    assert summary["period"] == "month"
    assert sum(sum(group["counts"].values()) for group in summary["by_source"]) == 31
    assert all(group["low"] is None for group in summary["by_time"]), "one article has no interval"


def test_a_huge_sentence_is_cut_in_lists_and_whole_up_to_a_limit_alone(client):
    find = {"field": "harbour_tax", "find": "longxxx"}
    (sentence,) = client.get("/api/predictions", params=find).json()["sentences"]
    assert (len(sentence["text"]), sentence["length"]) == (2_000, 300_004)
    alone = client.get(f"/api/predictions/{sentence['id']}").json()["sentence"]
    assert len(alone["text"]) == 100_000


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/api/status", "/api/nothing"])
def test_every_response_carries_a_strict_policy(client, path):
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "10.0.0.7", "", "[::1", "a:b:c"]
)
def test_another_host_name_is_refused(client, host):
    assert client.get("/api/status", headers={"host": host}).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost", "LOCALHOST:1", "[::1]:8765"])
def test_the_names_of_this_machine_are_accepted(client, host):
    assert client.get("/api/status", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "https://127.0.0.1:8765"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_site_cannot_write(client, review, headers):
    assert client.post("/api/labels", json=answer(), headers=headers).status_code == 403
    assert not review.labels.exists()


def test_the_page_itself_can_write_and_a_form_cannot(client, review):
    text = json.dumps(answer())
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        assert client.post("/api/labels", content=text, headers={"content-type": kind}).status_code == 422
    assert not review.labels.exists()
    assert (
        client.post("/api/labels", json=answer(), headers={"origin": BASE, "sec-fetch-site": "same-origin"}).status_code
        == 201
    )


def test_a_body_that_is_too_large_is_refused(client):
    assert client.post("/api/classify", json={"text": "x" * MAX_BODY}).status_code == 413


@pytest.mark.parametrize(
    "path", ["/static/../api.py", "/static/%2e%2e/api.py", "/static/..%2fapi.py", "/static//etc/passwd"]
)
def test_no_other_file_is_served(client, path):
    assert client.get(path).status_code == 404


def test_without_the_token_only_the_program_is_served(review):
    guarded = Guard(create_app(review), token=TOKEN, any_address=True)
    with TestClient(guarded, base_url="http://192.0.2.7:8765") as client:
        assert client.get("/static/main.js").status_code == 200
        for path in ("/", "/api/status", "/?token=wrong", f"/api/status?token={TOKEN}"):
            assert client.get(path).status_code == 401
        bearer = client.get("/api/status", headers={"authorization": f"Bearer {TOKEN}"})
        assert bearer.status_code == 200
        page = client.get(f"/?token={TOKEN}")
        assert re.search(r"HttpOnly; SameSite=Strict$", page.headers["set-cookie"])
        assert client.get("/api/status").status_code == 200, "the cookie is enough afterwards"
        assert client.get("/api/status", headers={"host": "evil.example"}).status_code == 400


def test_nothing_but_progress_is_told_before_the_index_is_there(tmp_path):
    review = Review(review_cases.write(tmp_path / "p.jsonl"), tmp_path / "l.jsonl")
    with TestClient(create_app(review), base_url=BASE) as client:
        assert client.get("/api/status").json()["is_ready"] is False
        assert client.get("/").status_code == 200
        assert client.get("/api/articles").status_code == 503
        assert client.post("/api/labels", json=answer()).status_code == 503


OPERATIONS = [
    ("GET", "/api/status"), ("GET", "/api/codebook"), ("GET", "/api/sources"), ("GET", "/api/articles"),
    ("GET", "/api/articles/{article}"), ("GET", "/api/predictions"), ("GET", "/api/predictions/summary"),
    ("GET", "/api/predictions/{sentence}"), ("GET", "/api/labels"), ("GET", "/api/labels/queue"),
    ("GET", "/api/labels/conflicts"), ("GET", "/api/labels/export"), ("POST", "/api/labels"),
    ("POST", "/api/labels/undo"), ("POST", "/api/classify"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [
        (*operation, mode)
        for operation in OPERATIONS
        for mode in GenerationMode
        if mode == GenerationMode.POSITIVE or operation not in OPERATIONS[:3]  # nothing to violate: no parameters
    ],
)
def test_the_api_keeps_to_its_description_whatever_comes(review, method, path, mode):
    app = create_app(review, annotator="ana", load_classifier=StubClassifier)
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app)

    @settings(max_examples=12, deadline=None, derandomize=True, database=None)
    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    def fuzz(case):
        response = case.call()
        if response.status_code != 413:  # of which the checks do not know that it is a refusal
            case.validate_response(response)

    fuzz()


def test_every_operation_is_fuzzed(review):
    described = create_app(review).openapi()["paths"]
    assert sorted((verb.upper(), path) for path, verbs in described.items() for verb in verbs) == sorted(OPERATIONS)


def test_websockets_are_closed():
    sent = []

    async def run():
        async def send(message):
            sent.append(message)

        await Guard(None, token=None, any_address=False)({"type": "websocket"}, None, send)

    asyncio.run(run())
    assert sent == []
