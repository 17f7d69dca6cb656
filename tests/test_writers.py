import csv
import gzip
import io
import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from stanceline.errors import OutputError
from stanceline.labels import Field, LabelScheme, Target
from stanceline.records import FieldPrediction, Prediction
from stanceline.writers import open_writer, row_columns

FIELDS = LabelScheme((Target("western_policy"),)).fields


def prediction(index: int, text: str = "The text of it.", start: int | None = None, **extra: object) -> Prediction:
    fields = {f.name: FieldPrediction(f.labels[-1], 0.75, dict.fromkeys(f.labels, 0.25)) for f in FIELDS}
    end = None if start is None else start + len(text)
    return Prediction("a", index, text, fields, "tiny@123", title="Ä title", start=start, end=end, extra=extra)


HARD_TEXTS = [
    "none",
    "",
    "null",
    'He said "no, no".',
    "two\nlines",
    "a\rb\r\nc",
    "\u2028 separator",
    "ü 😀",
    "=1+1",
    "NA",
]
PREDICTIONS = [prediction(i, text, start=None if i % 2 else i) for i, text in enumerate(HARD_TEXTS)]
NAMES = ["out.jsonl", "out.csv", "out.parquet", "out.jsonl.gz", "out.csv.gz"]


def write(path: Path, predictions: list[Prediction], **options: object) -> None:
    with open_writer(path, scheme_fields=FIELDS, **options) as writer:
        writer.write(predictions)


def write_and_fail(path: Path, **options: object) -> None:
    with open_writer(path, scheme_fields=FIELDS, **options) as writer:
        writer.write(PREDICTIONS)
        _ = 1 / 0


def rows_in(path: Path) -> list[dict[str, object]]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if ".jsonl" in path.name:
        return [json.loads(line) for line in data.decode().split("\n")[:-1]]
    rows = []
    for row in csv.DictReader(io.StringIO(data.decode(), newline="")):
        typed = {name: float(cell) for name, cell in row.items() if "_p_" in name or name.endswith("_confidence")}
        whole = {name: int(row[name]) if row[name] else None for name in ("sentence_index", "start", "end")}
        rows.append({**row, **typed, **whole})
    return rows


@pytest.mark.parametrize("name", NAMES)
def test_every_format_gives_the_rows_back(tmp_path: Path, name: str):
    write(tmp_path / name, PREDICTIONS)
    expected = [p.to_row() for p in PREDICTIONS]
    assert rows_in(tmp_path / name) == expected
    assert all(list(row) == row_columns(FIELDS) for row in rows_in(tmp_path / name))
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_pandas_reads_none_as_a_label_and_a_null_as_missing(tmp_path: Path, name: str):
    write(tmp_path / name, [prediction(0, "none", start=0), prediction(1, "x")])
    frame = pd.read_csv(tmp_path / name) if name.endswith("csv") else pd.read_parquet(tmp_path / name)
    assert list(frame["western_policy"]) == ["none", "none"]
    assert frame["text"][0] == "none"
    assert list(frame["start"].isna()) == [False, True]


def test_parquet_has_row_groups_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("stanceline._row_formats._GROUP_ROWS", 10)
    write(tmp_path / "out.parquet", [prediction(i) for i in range(25)])
    metadata = pq.ParquetFile(tmp_path / "out.parquet").metadata
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [10, 10, 5]


@pytest.mark.parametrize("name", NAMES)
def test_an_output_without_rows_can_be_read(tmp_path: Path, name: str):
    write(tmp_path / name, [])
    assert rows_in(tmp_path / name) == []


@pytest.mark.parametrize("name", NAMES)
def test_an_error_leaves_no_file(tmp_path: Path, name: str):
    with pytest.raises(ZeroDivisionError):
        write_and_fail(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_an_existing_output_is_kept_unless_forced(tmp_path: Path, name: str):
    path = tmp_path / name
    path.write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        open_writer(path, scheme_fields=FIELDS)
    with pytest.raises(ZeroDivisionError):
        write_and_fail(path, force=True)
    assert path.read_text() == "precious"
    write(path, PREDICTIONS, force=True)
    assert len(rows_in(path)) == len(PREDICTIONS)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.xlsx", "'.xlsx' is no format of the output"),
        ("out.parquet.gz", "is no format of the output"),
        ("out", "is no format of the output"),
        ("nowhere/out.csv", "does not exist; make it first"),
        (".", "is a folder|is no format"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_at_once(tmp_path: Path, name: str, message: str):
    with pytest.raises(OutputError, match=message):
        open_writer(tmp_path / name, scheme_fields=FIELDS)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_is_an_output_error_and_leaves_no_file(tmp_path: Path, name: str):
    (tmp_path / f"{name}.partial").symlink_to("/dev/full")
    with pytest.raises(OutputError, match=f"{name}: cannot be written: .*No space left"):
        write(tmp_path / name, [prediction(i, "long text " * 1000) for i in range(20)])
    assert list(tmp_path.iterdir()) == []


def test_the_same_rows_are_the_same_bytes(tmp_path: Path):
    for name in NAMES:
        write(tmp_path / f"1{name}", PREDICTIONS)
        write(tmp_path / f"2{name}", PREDICTIONS)
        assert (tmp_path / f"1{name}").read_bytes() == (tmp_path / f"2{name}").read_bytes()


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet"])
def test_columns_of_the_input_are_carried(tmp_path: Path, name: str):
    rows = [prediction(0, n=5, tags=["x"], day=None), prediction(1, n=float("nan"), tags="y", day="2024-05-17")]
    write(tmp_path / name, rows, columns=["n", "tags", "day"])
    carried = [tuple(row[key] for key in ("n", "tags", "day")) for row in rows_in(tmp_path / name)]
    assert (
        carried
        == {
            "out.jsonl": [(5, ["x"], None), (None, "y", "2024-05-17")],
            "out.csv": [("5", '["x"]', ""), ("", "y", "2024-05-17")],
            "out.parquet": [("5", '["x"]', None), (None, "y", "2024-05-17")],
        }[name]
    )


def test_a_carried_column_cannot_replace_a_prediction(tmp_path: Path):
    with pytest.raises(OutputError, match="column 'western_policy' of the input is a column of the predictions"):
        open_writer(tmp_path / "out.csv", scheme_fields=FIELDS, columns=["western_policy"])


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet"])
def test_uncertainty_has_columns_of_its_own(tmp_path: Path, name: str):
    with open_writer(tmp_path / name, scheme_fields=FIELDS, uncertain=True) as writer:
        writer.write_rows([prediction(0).to_row() | {"sentiment_uncertain": True, "western_policy_uncertain": False}])
    (row,) = rows_in(tmp_path / name)
    yes, no = ("true", "false") if name == "out.csv" else (True, False)
    assert (row["western_policy_uncertain"], row["sentiment_uncertain"]) == (no, yes)


def test_an_undeclared_column_is_not_lost_in_silence(tmp_path: Path):
    with pytest.raises(ValueError, match="undeclared columns"):
        write(tmp_path / "out.jsonl", [prediction(0, n=5)])


def test_target_names_do_not_decide_the_types(tmp_path: Path):
    fields = (Field("un_p_5", ("favor", "none")),)
    row = {"un_p_5": "none", "un_p_5_p_none": 0.5}
    with open_writer(tmp_path / "out.parquet", scheme_fields=fields) as writer:
        writer.write_rows([row])
    (read,) = rows_in(tmp_path / "out.parquet")
    assert {key: read[key] for key in row} == row


def test_a_stream_gets_json_lines_at_once_and_stays_open():
    stream = io.StringIO()
    with open_writer(stream, scheme_fields=FIELDS) as writer:
        writer.write(PREDICTIONS[:1])
        assert json.loads(stream.getvalue()) == PREDICTIONS[0].to_row()
    stream.write("still open")


def test_a_stream_can_get_csv_but_not_parquet():
    stream = io.StringIO(newline="")
    with open_writer(stream, scheme_fields=FIELDS, format="csv") as writer:
        writer.write(PREDICTIONS[:1])
    assert stream.getvalue().startswith(
        "article_id,title,source,date,sentence_index,text,western_policy,sentiment,start,"
    )
    with pytest.raises(OutputError, match="name an output file"):
        open_writer(stream, scheme_fields=FIELDS, format="parquet")
