"""The batch engine on a cluster: Parquet in, Parquet out, a classifier in each actor of a Ray Data pool.

Needs `pip install 'stanceline[ray]'` on every node. What a row becomes is decided by `batch`; here it only travels.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from glob import has_magic
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import fs

from stanceline import checkpoint
from stanceline._inputs import Inputs
from stanceline._row_formats import ParquetRows
from stanceline._tables import Row
from stanceline.batch import Request, Summary, label_articles, load_classifier
from stanceline.batch_parts import encode_row
from stanceline.errors import InputError, OutputError, UsageError
from stanceline.readers import articles_of_table, required_columns
from stanceline.records import Article, Rejection
from stanceline.writers import row_types

try:
    import ray
    import ray.data
except ImportError as error:
    raise UsageError("--engine ray: Ray is not installed; install it with: pip install 'stanceline[ray]'") from error

# Articles that an actor is given at once, and rows of a file of the output.
BATCH_ARTICLES = 128
PART_ROWS = 65_536
SUCCESS = "_SUCCESS"
_NO_ID = "has no article_id, which is needed on Ray, where rows have no numbers; give it one"
_ROWS, _REJECTED = "rows", "rejected"
# Between actors and writers a row is a line of JSON, so that one stream carries rows and rejections.
_LINES = pa.schema([("kind", pa.string()), ("line", pa.binary())])


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where to run, and on how much of it."""

    address: str | None = None  # of a running cluster; None: RAY_ADDRESS, or a new one on this machine
    actors: int = 0  # classifiers at once; 0: one a GPU, or else one a core but for one, which reads and writes
    quiet: bool = False


def classify_on_ray(request: Request, output: str, *, cluster: Cluster, force: bool = False) -> Summary:
    """Labels Parquet tables into a folder of Parquet files, on all nodes of a cluster.

    The folder holds `part-*.parquet`, `rejected-*.jsonl` where something was rejected, and `_SUCCESS` when all is done.
    The order of the rows is not that of the input. A task whose worker is lost is done again, into the same file.

    Args:
        request: What to label: local paths, or addresses such as `s3://bucket/folder`.
        output: The folder, local to every node (or shared by them), or such an address.
        cluster: Where to run.
        force: Replace the output of an earlier run.

    Raises:
        InputError: An input is not there, is not Parquet, or lacks a column.
        OutputError: The output exists, or holds something else.
        UsageError: The rows are sentences of articles, which on Ray must come as a list in one row.
    """
    manifest = checkpoint.read_manifest(checkpoint.find_checkpoint(request.model))
    options = request.options.for_checkpoint(manifest)
    request = replace(request, options=options)
    types = row_types(manifest.scheme.fields, options.columns, options.min_confidence is not None)
    paths = _parquet_paths(request.inputs)
    target = _Target.claim(output, force)
    if not ray.is_initialized():
        ray.init(address=cluster.address, log_to_driver=not cluster.quiet)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = not cluster.quiet
    table = ray.data.read_parquet(paths, include_paths=True)
    _check_schema(table.schema(), required_columns(options.columns, marked=options.marked))
    request, resources, actors = _share(request, cluster.actors)
    sink = _Sink(target, types, options.columns)
    table.map_batches(
        _Labeller,
        fn_constructor_args=(request,),
        batch_size=BATCH_ARTICLES,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=actors),
        **resources,
    ).write_datasink(sink)
    rejected = f"{output.rstrip('/')}/rejected-*.jsonl" if sink.rejected else None
    return Summary(sink.rows, sink.rejected, rejected)


def _share(request: Request, actors: int) -> tuple[Request, dict[str, float], int]:
    """The request of one actor, what of the cluster it takes, and the number of actors."""
    there = ray.cluster_resources()
    gpus, cores = int(there.get("GPU", 0)), int(there.get("CPU", 1))
    if request.device == "auto":
        request = replace(request, device="cuda" if gpus else "cpu")
    if request.device.startswith("cuda"):
        return request, {"num_gpus": 1}, actors or max(1, gpus)
    # One thread an actor: several in one process wait for each other, several processes do not.
    return replace(request, threads=1), {"num_cpus": 1}, actors or max(1, cores - 1)


class _Labeller:
    """An actor: loads the classifier once, then labels batches of rows."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.classifier = load_classifier(request)

    def __call__(self, table: pa.Table) -> pa.Table:
        """The batch's rows and rejections, as lines."""
        lines: list[dict[str, Any]] = []
        items = _items(table.to_pylist(), self.request)
        for step in label_articles(self.classifier, items, self.request.options):
            lines.extend({"kind": _ROWS, "line": encode_row(row)} for row in step.rows)
            if step.rejected is not None:
                lines.append({"kind": _REJECTED, "line": encode_row(step.rejected.to_row())})
        return pa.Table.from_pylist(lines, schema=_LINES)


def _items(rows: Sequence[dict[str, Any]], request: Request) -> Iterator[Article | Rejection]:
    rejections: list[Rejection] = []

    def identified() -> Iterator[Row]:
        for number, cells in enumerate(rows, start=1):
            place = str(cells.pop("path"))
            if cells.get("article_id") is None:
                rejections.append(Rejection("", place, _NO_ID))
            else:
                yield Row(number, f"{place} article {cells['article_id']}", cells)

    options = request.options
    yield from articles_of_table(
        identified(),
        any_language=options.any_language,
        columns=options.columns,
        marked=options.marked,
        reject=rejections.append,
    )
    yield from rejections


@dataclass(frozen=True, slots=True)
class _Target:
    """The folder of the output, on whatever file system."""

    filesystem: fs.FileSystem
    folder: str

    @classmethod
    def claim(cls, output: str, force: bool) -> "_Target":
        """A folder without earlier output; nothing but earlier output is ever removed."""
        target = cls(*_resolve(output))
        found = target.filesystem.get_file_info(fs.FileSelector(target.folder, allow_not_found=True))
        if any(not _is_ours(file.base_name) for file in found):
            raise OutputError(f"{output}: holds other files than an output; name a new folder")
        if found and not force:
            raise OutputError(f"{output}: exists already; choose another name, or overwrite it with --force")
        for file in found:
            target.filesystem.delete_file(file.path)
        target.filesystem.create_dir(target.folder, recursive=True)
        return target

    def open(self, name: str) -> Any:
        """A stream into a new file, which replaces one of that name."""
        return self.filesystem.open_output_stream(f"{self.folder}/{name}")


def _is_ours(name: str) -> bool:
    return name == SUCCESS or name.startswith(("part-", "rejected-"))


def _resolve(address: str) -> tuple[fs.FileSystem, str]:
    """The file system and the path on it."""
    try:
        filesystem, path = fs.FileSystem.from_uri(_address(address))
    except pa.ArrowInvalid:  # none of Arrow's own; fsspec knows more
        import fsspec

        inner, path = fsspec.core.url_to_fs(address)
        filesystem = fs.PyFileSystem(fs.FSSpecHandler(inner))
    return filesystem, path.rstrip("/")


def _address(path: str) -> str:
    """A local path as an address that every node reads the same; others as they are."""
    return path if "://" in path else Path(path).resolve().as_uri()


def _parquet_paths(inputs: Sequence[str]) -> list[str]:
    """The files and folders to read; local ones exist, and all are Parquet."""
    remote = [name for name in inputs if "://" in name]
    paths = []
    for file in Inputs([name for name in inputs if "://" not in name]) if len(remote) < len(inputs) else ():
        if file is not None and file.problem:
            raise InputError(f"{file.path}: {file.problem}")
        if file is None or file.kind != "parquet":
            name = "-" if file is None else file.path
            raise InputError(
                f"{name}: is no Parquet file, and Ray reads only those; convert it, or label it without Ray"
            )
        paths.append(str(file.path.resolve()))
    for name in remote:
        paths.extend(_matches(name) if has_magic(name) else [name])
    return paths


def _matches(pattern: str) -> list[str]:
    import fsspec

    filesystem, path = fsspec.core.url_to_fs(pattern)
    found = sorted(map(filesystem.unstrip_protocol, filesystem.glob(path)))
    if not found:
        raise InputError(f"{pattern}: matches no file; check the pattern")
    return found


def _check_schema(schema: Any, columns: Sequence[str]) -> None:
    names = list(schema.names)
    listed = ", ".join(name for name in names if name != "path")
    if "article_id" not in names:
        raise InputError(f"the tables have no column 'article_id', which is needed on Ray; their columns are {listed}")
    for name in columns:
        if name not in names:
            raise InputError(f"the tables have no column {name!r}; their columns are {listed}")
    if "sentence_index" in names and "sentences" not in names:
        raise UsageError(
            "--engine ray: the rows are sentences; write one row an article, with its sentences in a list `sentences`"
        )


class _Sink(ray.data.Datasink[tuple[int, int]]):  # type: ignore[misc]
    """Writes each task's lines into files of its own: a task that is done twice replaces them."""

    def __init__(self, target: _Target, types: Mapping[str, type], carried: Sequence[str]) -> None:
        self.target = target
        self.types = types
        self.carried = carried
        self.rows = 0
        self.rejected = 0

    @property
    def min_rows_per_write(self) -> int:
        """Rows that Ray gathers for a file, if there are as many."""
        return PART_ROWS

    def write(self, blocks: Iterable[Any], ctx: Any) -> tuple[int, int]:
        """Writes the lines of one task; returns the number of rows and of rejections."""
        tables = [ray.data.block.BlockAccessor.for_block(block).to_arrow() for block in blocks]
        lines = [line for table in tables if table.num_rows for line in table.to_pylist()]
        rows = [json.loads(line["line"]) for line in lines if line["kind"] == _ROWS]
        rejected = [line["line"] for line in lines if line["kind"] == _REJECTED]
        if rows:
            with self.target.open(f"part-{ctx.task_idx:06}.parquet") as stream:
                file = ParquetRows(stream, self.types, self.carried)
                for row in rows:
                    file.write(row)
                file.close()
        if rejected:
            with self.target.open(f"rejected-{ctx.task_idx:06}.jsonl") as stream:
                stream.write(b"".join(rejected))
        return len(rows), len(rejected)

    def on_write_complete(self, write_result: Any) -> None:
        """Counts, and marks the output as whole."""
        self.rows = sum(rows for rows, _ in write_result.write_returns)
        self.rejected = sum(rejected for _, rejected in write_result.write_returns)
        with self.target.open(SUCCESS):
            pass
