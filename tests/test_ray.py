"""On a cluster of two workers: the rows of the local engine, also when a worker is lost."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stanceline.batch import Destination, Options, Request, classify_corpus
from stanceline.errors import InputError, OutputError, UsageError

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'stanceline[ray]'")
pytest.importorskip("ray.data", reason="Ray Data is not installed: pip install 'stanceline[ray]'")

from stanceline import ray_engine  # noqa: E402
from stanceline.ray_engine import Cluster, classify_on_ray  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    # Ray's own, and its processes outlive the driver's handles.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ARTICLES = 400


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head without a core, and two nodes of two cores each."""
    from ray.cluster_utils import Cluster as LocalCluster

    nodes = LocalCluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(2):
        nodes.add_node(num_cpus=2, object_store_memory=100 * 2**20)
    ray.init(address=nodes.address, log_to_driver=False)
    yield Cluster(nodes.address, actors=2, quiet=True)
    ray.shutdown()
    nodes.shutdown()


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Partitioned articles: whole texts, lists of sentences, and two that cannot be used."""
    folder = tmp_path_factory.mktemp("tables")
    rows = []
    for number in range(ARTICLES):
        text = f"Envoy {number} landed in Lusaka. Her government backs the charter. Item {number % 7} was left open."
        split = None if number % 2 else text.replace(". ", ".|").split("|")
        rows.append(
            {"article_id": f"a{number}", "text": text, "sentences": split, "desk": number % 3, "title": "Talks"}
        )
    rows[5]["text"] = ""
    rows[8]["sentences"], rows[8]["text"] = None, "Le ministre a déclaré jeudi que les pourparlers reprendraient."
    for part in range(8):
        pq.write_table(pa.Table.from_pylist(rows[part::8]), folder / f"{part}.parquet")
    return folder


@pytest.fixture(scope="module")
def request_(tables: Path, tiny_checkpoint: Path) -> Request:
    options = Options(columns=("desk",), min_confidence=0.5)
    return Request((str(tables),), model=str(tiny_checkpoint), device="cpu", options=options)


def rows_of(output: Path) -> list[dict]:
    rows = [row for part in output.glob("part-*.parquet") for row in pq.read_table(part).to_pylist()]
    return sorted(rows, key=lambda row: (row["article_id"], row["sentence_index"]))


def rejected_of(output: Path) -> list[str]:
    lines = [line for part in output.glob("rejected-*.jsonl") for line in part.read_text().splitlines()]
    return sorted(json.loads(line)["article_id"] for line in lines)


@pytest.fixture(scope="module")
def expected(request_: Request, tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """The rows of the local engine."""
    output = tmp_path_factory.mktemp("local") / "out.parquet"
    classify_corpus(request_, Destination(output), report=lambda step: None)
    return sorted(pq.read_table(output).to_pylist(), key=lambda row: (row["article_id"], row["sentence_index"]))


def test_classify_gives_the_same_labels_locally_and_on_ray(cluster, request_: Request, expected, tmp_path: Path):
    summary = classify_on_ray(request_, str(tmp_path / "out"), cluster=cluster)
    assert rows_of(tmp_path / "out") == expected
    assert (summary.rows, summary.rejected) == (len(expected), 2)
    assert rejected_of(tmp_path / "out") == ["a5", "a8"]
    assert (tmp_path / "out" / "_SUCCESS").exists()


def test_a_worker_that_is_killed_loses_nothing_and_doubles_nothing(
    cluster, request_: Request, expected, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pids = tmp_path / "pids"
    pids.mkdir()
    monkeypatch.setattr(ray_engine, "BATCH_ARTICLES", 10)
    monkeypatch.setattr(ray_engine, "_Labeller", slow_labeller(pids))
    killed: list[int] = []

    def kill_one() -> None:
        while len(list(pids.iterdir())) < 2:
            time.sleep(0.05)
        time.sleep(1.5)  # both are at work
        killed.append(int(next(pids.iterdir()).name))
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    summary = classify_on_ray(request_, str(tmp_path / "out"), cluster=cluster)
    killer.join(timeout=1)
    assert killed
    assert not Path(f"/proc/{killed[0]}").exists()
    assert len(list(pids.iterdir())) >= 3  # another one was started in its place
    assert rows_of(tmp_path / "out") == expected
    assert (summary.rows, rejected_of(tmp_path / "out")) == (len(expected), ["a5", "a8"])


def slow_labeller(pids: Path) -> type:
    """The actor, slowed down so that it can be killed at work; it notes its process."""

    class Slow(ray_engine._Labeller):
        def __init__(self, request: Request) -> None:
            super().__init__(request)
            (pids / str(os.getpid())).touch()

        def __call__(self, table: pa.Table) -> pa.Table:
            time.sleep(0.2)
            return super().__call__(table)

    return Slow


def test_an_output_is_replaced_only_by_force_and_other_files_never(cluster, request_: Request, tables, tmp_path: Path):
    request = replace(request_, inputs=(str(tables / "0.parquet"),))
    output = tmp_path / "out"
    classify_on_ray(request, str(output), cluster=cluster)
    before = rows_of(output)
    with pytest.raises(OutputError, match="exists already"):
        classify_on_ray(request, str(output), cluster=cluster)
    classify_on_ray(request, str(output), cluster=cluster, force=True)
    assert rows_of(output) == before
    (output / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="other files"):
        classify_on_ray(request, str(output), cluster=cluster, force=True)
    assert rows_of(output) == before


def test_tables_that_ray_cannot_label_are_refused(cluster, request_: Request, tmp_path: Path):
    def table(name: str, row: dict) -> str:
        pq.write_table(pa.Table.from_pylist([row]), tmp_path / name)
        return str(tmp_path / name)

    plain = replace(request_, options=Options())
    for request, error, said in (
        (replace(plain, inputs=(table("a.parquet", {"text": "x"}),)), InputError, "article_id"),
        (replace(request_, inputs=(table("b.parquet", {"article_id": "a", "text": "x"}),)), InputError, "desk"),
        (
            replace(plain, inputs=(table("c.parquet", {"article_id": "a", "text": "x", "sentence_index": 0}),)),
            UsageError,
            "one row an article",
        ),
        (replace(plain, inputs=(__file__,)), InputError, "no Parquet"),
    ):
        with pytest.raises(error, match=said):
            classify_on_ray(request, str(tmp_path / "out"), cluster=cluster)
