import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stanceline.errors import InputError, UsageError
from stanceline.language import foreign_language
from stanceline.readers import count_inputs, list_inputs, read_articles
from stanceline.records import Article, Rejection
from stanceline.sentences import split_sentences

TEXT = "Envoys meet in Lisbon\nThe envoys of nine countries met on Friday. They spoke for six hours.\n"
RUSSIAN = "Министр заявил в понедельник, что санкции останутся в силе до конца года. "
PAGE = """<!doctype html><html><head><meta charset="{charset}"><title>Envoys meet | Harbour News</title>
<meta property="og:title" content="Envoys meet"><meta property="og:site_name" content="Harbour News">
<meta property="article:published_time" content="2024-05-17T10:00:00Z"></head>
<body><nav><ul><li><a href="/">Home</a></li><li><a href="/w">World</a></li></ul></nav>
<article><h1>Envoys meet</h1><p>The envoys of nine countries met on Friday in the old café by the port. They spoke
for six hours.</p><ul><li>A second round is to follow in June</li></ul></article>
<footer>All rights reserved by the publisher.</footer></body></html>"""


@dataclass
class Read:
    articles: list[Article] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [article.article_id for article in self.articles]

    @property
    def only(self) -> Article:
        assert self.rejections == []
        (article,) = self.articles
        return article

    @property
    def refusal(self) -> str:
        (rejection,) = self.rejections
        return str(rejection)


def read(*inputs: Path | str, stdin: bytes = b"", **options: object) -> Read:
    result = Read()
    result.articles.extend(
        read_articles(list(map(str, inputs)), stdin=io.BytesIO(stdin), reject=result.rejections.append, **options)
    )
    return result


@pytest.fixture
def write(tmp_path: Path):
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def jsonl(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


# --- Texts


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a", "a.text"])
def test_a_text_file_is_an_article_with_a_title(write, name: str):
    article = read(write(name, TEXT)).only
    assert article == Article(article_id=name, text=TEXT, title="Envoys meet in Lisbon")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_files_are_decoded(write, encoding: str):
    assert read(write("a.txt", TEXT.encode(encoding))).only.text == TEXT


def test_line_ends_are_kept_so_that_offsets_fit_the_file(write):
    text = TEXT.replace("\n", "\r\n")
    assert read(write("a.txt", text)).only.text == text


@pytest.mark.parametrize("name", ["a.txt.gz", "a.txt.zst", "rows.jsonl.gz", "rows.csv.zst"])
def test_compressed_files_are_read(write, name: str):
    content = {"a.txt": TEXT, "rows.jsonl": jsonl({"text": TEXT}), "rows.csv": f'text\n"{TEXT}"\n'}[Path(name).stem]
    data = content.encode()
    packed = gzip.compress(data) if name.endswith("gz") else pa.compress(data, codec="zstd", asbytes=True)
    assert read(write(name, packed)).only.text == TEXT


def test_a_huge_text_is_split_while_it_is_read(write, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("stanceline.readers._HELD", 10_000)
    text = TEXT * 200
    article = read(write("a.txt", text)).only
    assert article.text is None
    assert article.title == "Envoys meet in Lisbon"
    assert list(article.sentences) == list(article.sentences) == list(split_sentences(text))


def test_a_huge_text_that_is_broken_at_its_end_is_rejected_whole(write, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("stanceline.readers._HELD", 10_000)
    result = read(write("a.txt", TEXT.encode() * 200 + b"\xff"))
    assert result.articles == []
    assert "is not UTF-8 (see byte 18400)" in result.refusal


def test_a_five_megabyte_line_is_an_article(write):
    assert len(read(write("a.txt", "the word of " * 420_000)).only.text) == 5_040_000


def test_a_three_word_article_is_an_article(write):
    assert read(write("a.txt", "NATO says no")).only.text == "NATO says no"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n\t", "holds no text"),
        (bytes(range(256)) * 9, "is binary"),
        (b"%PDF-1.7 text", "is a PDF; convert it"),
        (b"PK\x03\x04", "ZIP archive or an office document"),
        ("Der Präsident spräche für die Völker, hätte er Zeit. ".encode("cp1252") * 3, "is not UTF-8"),
        (RUSSIAN.encode("cp1251") * 3, "perhaps cp1251; convert it: iconv -f cp1251"),
        (TEXT.encode("utf-16-le"), "is binary"),
        (b"\x01\x02\x03\x04 text", "is binary"),
        (gzip.compress(b"text"), "let its name end in .gz"),
    ],
)
def test_a_file_that_is_no_text_is_rejected_with_its_reason(write, content: bytes, reason: str):
    good = write("good.txt", TEXT)
    bad = write("bad.txt", content)
    result = read(bad, good)
    assert result.ids == ["good.txt"]
    assert result.refusal.startswith(f"{bad}: ")
    assert reason in result.refusal


@pytest.mark.parametrize("content", [TEXT.encode(), gzip.compress(TEXT.encode() * 99)[:-20]])
def test_a_damaged_compressed_file_is_rejected(write, content: bytes):
    assert "cannot be read" in read(write("a.txt.gz", content)).refusal


# --- Pages


def test_the_main_text_of_a_page_is_extracted(write):
    article = read(write("a.html", PAGE.format(charset="utf-8"))).only
    assert article.title == "Envoys meet"
    assert article.source == "Harbour News"
    assert article.date == "2024-05-17"
    assert "They spoke for six hours." in article.text
    assert "second round" in article.text
    assert "Home" not in article.text
    assert "rights" not in article.text


def test_a_page_may_declare_its_encoding(write):
    page = PAGE.format(charset="iso-8859-1").encode("cp1252")
    assert "old café" in read(write("a.htm", page)).only.text
    lying = PAGE.format(charset="ascii").encode("cp1252")
    assert "declares the encoding 'ascii'" in read(write("b.htm", lying)).refusal


def test_a_page_without_text_is_rejected(write):
    assert "has no main text" in read(write("a.html", "<html><body></body></html>")).refusal


# --- Languages


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (RUSSIAN, "Russian"),
        ("Der Minister sagte am Montag, dass die Sanktionen in Kraft bleiben.", "German"),
        ("Le ministre a déclaré lundi que les sanctions seraient maintenues.", "French"),
        ("外交部长周一表示，制裁将继续有效，谈判也将继续进行。", "Chinese"),
        ("Κίεβο", "Greek script"),
    ],
)
def test_other_languages_are_rejected_by_name(write, text: str, language: str):
    path = write("a.txt", text)
    assert f"is in {language}, and the labels hold for English" in read(path).refusal
    assert read(path, any_language=True).only.text == text


@pytest.mark.parametrize(
    "text",
    [
        "NATO",
        "Kyiv, Odesa",
        "Duma",
        "Zelenskyy, Macron, Scholz meet",
        "Port strike ends",
        "5 %",
        "Hnatiuk: Kyiv rejects Minsk",
    ],
)
def test_short_english_with_foreign_names_is_not_foreign(text: str):
    assert foreign_language(text) is None


def test_the_language_of_sentences_is_judged_together(write):
    rows = jsonl({"article_id": "a", "sentences": [RUSSIAN, RUSSIAN]}, {"article_id": "b", "sentences": [TEXT, "Kyiv"]})
    result = read(write("a.jsonl", rows))
    assert result.ids == ["b"]
    assert "is in Russian" in result.refusal


# --- Tables


ROWS = [
    {"article_id": "a", "text": "The first of them.", "title": "One", "source": "HNA", "date": "2024-05-17", "n": "1"},
    {"article_id": None, "text": "The second, of them.", "title": None, "source": None, "date": None, "n": None},
]


def as_csv(rows: list[dict[str, object]]) -> str:
    lines = [list(rows[0]), *([*row.values()] for row in rows)]
    return "".join(",".join(f'"{"" if cell is None else cell}"' for cell in line) + "\n" for line in lines)


@pytest.fixture(params=["jsonl", "csv", "parquet"])
def table(request: pytest.FixtureRequest, write):
    """Writes rows in each of the formats."""

    def table(rows: list[dict[str, object]]) -> Path:
        if request.param == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), path := write("t.parquet", b""))
            return path
        return write(f"t.{request.param}", jsonl(*rows) if request.param == "jsonl" else as_csv(rows))

    return table


def test_a_row_with_text_is_an_article_in_every_format(table):
    path = table(ROWS)
    result = read(path)
    assert result.rejections == []
    assert result.articles == [
        Article(article_id="a", text="The first of them.", title="One", source="HNA", date="2024-05-17"),
        Article(article_id=f"{path.name}#2", text="The second, of them."),
    ]


def test_rows_of_sentences_are_grouped_and_keep_their_sentences(table):
    rows = [
        {"article_id": "a", "sentence_index": 4, "text": "The second of them."},
        {"article_id": "a", "sentence_index": 2, "text": " The first of them."},
        {"article_id": "b", "sentence_index": 0, "text": "The one of b."},
    ]
    result = read(table(rows))
    assert result.rejections == []
    assert [(a.article_id, a.text, [(s.index, s.text, s.start) for s in a.sentences]) for a in result.articles] == [
        ("a", None, [(2, " The first of them.", None), (4, "The second of them.", None)]),
        ("b", None, [(0, "The one of b.", None)]),
    ]


@pytest.mark.parametrize(("title", "register"), [("(separate short items)", "wire"), ("", "headlines")])
def test_separate_items_are_unrelated(table, title: str, register: str):
    row = {"article_id": "a", "sentence_index": 0, "text": "The first of them.", "title": title, "register": register}
    assert read(table([row])).only.related is False
    assert read(table([row | {"title": "", "register": "wire"}])).only.related is True


def test_a_row_with_sentences_is_already_split(write):
    for name, content in (
        ("a.jsonl", jsonl({"article_id": "a", "sentences": ["One of them.", "", "Two of them."]})),
        ("a.csv", 'article_id,sentences\na,"[""One of them."", """", ""Two of them.""]"\n'),
    ):
        assert [(s.index, s.text) for s in read(write(name, content)).only.sentences] == [
            (0, "One of them."),
            (2, "Two of them."),
        ]


def test_an_empty_list_of_sentences_leaves_the_text(write):
    row = {"text": "The envoys met on Friday.", "sentences": []}
    assert read(write("a.jsonl", json.dumps(row))).only.text == row["text"]


def test_wanted_columns_are_carried_in_every_format(table):
    assert read(table(ROWS), columns=["n"]).articles[0].extra == {"n": "1"}
    assert [a.extra for a in read(table(ROWS)).articles] == [{}, {}]


def test_wanted_columns_of_sentence_rows_stay_with_their_sentence(table):
    rows = [{"article_id": "a", "sentence_index": i, "text": "The text of it.", "k": k} for i, k in enumerate("xy")]
    article = read(table(rows), columns=["k"]).only
    assert [s.extra for s in article.sentences] == [{"k": "x"}, {"k": "y"}]


def test_a_column_that_does_not_exist_is_an_error_before_any_work(table):
    path = table(ROWS)
    with pytest.raises(InputError, match=r"has no column 'm'; its columns are 'article_id', 'text'"):
        read_articles([str(path)], columns=["m"], reject=lambda _: None)


def test_a_column_of_the_output_cannot_be_carried(table):
    with pytest.raises(UsageError, match="--columns date: the output has that column anyway"):
        read_articles([str(table(ROWS))], columns=["date"], reject=lambda _: None)


@pytest.mark.parametrize(
    ("line", "place", "reason"),
    [
        ("{broken", "line 2", "is not JSON"),
        ("[1]", "line 2", "is not a JSON object"),
        ('{"title": "x"}', "line 2", "has no text"),
        ('{"text": " "}', "line 2", "has no text"),
        ('{"text": null}', "line 2", "has no text"),
        ('{"text": 5}', "line 2", "'text' is 5, not a text"),
        ('{"sentences": "x"}', "line 2", "'sentences' is not a list of texts"),
        ('{"sentences": [1]}', "line 2", "'sentences' is not a list of texts"),
        ('{"text": "x \\ud800"}', "line 2", "broken"),
        ('{"text": "x", "sentence_index": 0}', "line 2", "no 'article_id'"),
        ('{"text": "x", "sentence_index": -1, "article_id": "x"}', "line 2", "use whole numbers from 0"),
        ('{"text": "x", "sentence_index": 1%s, "article_id": "x"}' % ("0" * 400), "line 2", "use whole numbers from 0"),
        ('{"text": "x", "article_id": "a"}', "line 2", "its article_id came before"),
        ("[" * 100_000, "line 2", "is not JSON"),
    ],
)
def test_a_bad_line_is_rejected_with_its_place_and_the_others_go_on(write, line: str, place: str, reason: str):
    first, last = jsonl({"article_id": "a", "text": "The first."}), jsonl({"article_id": "z", "text": "The last."})
    path = write("t.jsonl", f"{first}{line}\n{last}")
    result = read(path)
    assert result.ids == ["a", "z"]
    assert result.refusal.startswith(f"{path} {place}: ")
    assert reason in result.refusal


def test_a_line_that_is_not_utf8_is_rejected_and_the_others_go_on(write):
    for name, lines in (
        ("t.jsonl", [b'{"text": "caf\xe9"}', b'{"text": "tea"}']),
        ("t.csv", [b"text", b"caf\xe9", b"tea"]),
    ):
        result = read(write(name, b"\n".join(lines)))
        assert [a.text for a in result.articles] == ["tea"]
        assert "is not UTF-8" in result.refusal


def test_bad_csv_rows_are_rejected_with_their_line(write):
    result = read(write("t.csv", 'text,n\n"two\nlines",1\na,b,c\n\n,2\nlast,3\n"open,4\n'))
    assert [a.text for a in result.articles] == ["two\nlines", "last"]
    assert [(r.place.split()[-1], r.reason.split(";")[0]) for r in result.rejections] == [
        ("4", "has 3 cells, the header has 2"),
        ("6", "has no text"),
        ("8", "is not CSV (unexpected end of data)"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("t.csv", "id,body\n1,x\n", "has no column 'text' or 'sentences', but 'id', 'body'"),
        ("t.csv", "id;text\n1;x\n", "is not separated by commas"),
        ("t.csv", "text,text\nx,y\n", "has the column 'text' twice"),
        ("t.csv", "text\n", "holds no rows"),
        ("t.csv", "", "holds no rows"),
        ("t.jsonl", "\n\n", "holds no rows"),
        ("t.parquet", "", "cannot be read as Parquet"),
        ("t.parquet", "PAR1 nonsense PAR1", "cannot be read as Parquet"),
    ],
)
def test_an_unusable_table_is_one_rejection(write, name: str, content: str, reason: str):
    result = read(write(name, content), write("good.txt", TEXT))
    assert result.ids == ["good.txt"]
    assert reason in result.refusal


def test_a_parquet_table_without_text_is_one_rejection(write):
    pq.write_table(pa.table({"body": ["x"]}), path := write("t.parquet", b""))
    assert "has no column 'text' or 'sentences', but 'body'" in read(path).refusal


def test_a_parquet_file_that_breaks_off_gives_what_comes_before(write):
    rows = [{"text": f"The text of the row with the number {i} of many."} for i in range(5000)]
    pq.write_table(pa.Table.from_pylist(rows), path := write("t.parquet", b""), row_group_size=1024, compression=None)
    group = pq.ParquetFile(path).metadata.row_group(3).column(0)
    data = bytearray(path.read_bytes())
    start = group.dictionary_page_offset or group.data_page_offset
    data[start : start + 2000] = b"\xff" * 2000
    path.write_bytes(data)
    result = read(path)
    assert len(result.articles) == 3 * 1024
    assert "row 3073: cannot be read as Parquet from there on" in result.refusal


def test_articles_come_before_the_table_ends(write):
    def lines() -> Iterator[bytes]:
        yield jsonl({"text": "The first of them."}).encode()
        raise AssertionError("read too far")

    class Slow(io.RawIOBase):
        def __init__(self) -> None:
            self.lines = lines()

        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:
            line = next(self.lines)
            buffer[: len(line)] = line
            return len(line)

    articles = read_articles(["-"], stdin=Slow(), reject=lambda _: None)
    assert next(articles).text == "The first of them."


# --- Inputs


def test_a_folder_is_read_with_all_below_it_in_a_fixed_order(write, tmp_path: Path):
    for name in ("b.txt", "a.txt", "sub/c.md", "sub/deep/d.txt", "picture.png", ".hidden.txt", ".git/x.txt"):
        write(name, TEXT)
    write("out.jsonl.rejected.jsonl", jsonl({"reason": "of an earlier run"}))
    result = read(tmp_path)
    assert result.rejections == []
    assert result.ids == ["a.txt", "b.txt", "sub/c.md", "sub/deep/d.txt"]


def test_documents_that_are_not_read_are_reported(write, tmp_path: Path):
    write("a.txt", TEXT)
    write("b.docx", b"PK\x03\x04")
    write("c.json", "{}")
    result = read(tmp_path)
    assert result.ids == ["a.txt"]
    assert [(r.article_id, r.reason.split(";")[0]) for r in result.rejections] == [
        ("b.docx", "is a .docx file, which isn't read"),
        ("c.json", "is JSON"),
    ]


def test_a_pattern_stands_for_what_it_matches(write, tmp_path: Path):
    for name in ("x/1.txt", "y/1.txt", "y/2.md", "y/z/1.txt"):
        write(name, TEXT)
    assert read(tmp_path / "*" / "*.txt").ids == ["x/1.txt", "y/1.txt"]
    assert read(tmp_path / "**" / "*.txt").ids == ["x/1.txt", "y/1.txt", "y/z/1.txt"]


def test_a_linked_folder_is_read_under_the_name_of_the_link(write, tmp_path: Path):
    write("in/a.txt", TEXT)
    write("elsewhere/sub/b.txt", TEXT)
    (tmp_path / "in" / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("in", "in/**", "in/*/*/*"):
        result = read(tmp_path / name)
        assert result.rejections == []
        assert "link/sub/b.txt" in result.ids


@pytest.mark.parametrize("name", ["in", "in/**/*.txt", "in/**"])
def test_links_in_a_circle_are_left_out_with_the_reason(write, tmp_path: Path, name: str):
    for place in ("in/a/x.txt", "in/b/y.txt", "elsewhere/z.txt"):
        write(place, TEXT)
    links = {
        "in/a/up": "in",
        "in/a/above": "",
        "in/again": "in/b",
        "in/link": "elsewhere",
        "in/link-2": "elsewhere",
        "elsewhere/back": "in/a",
    }
    for link, target in links.items():
        (tmp_path / link).symlink_to(tmp_path / target)
    result = read(tmp_path / name)
    assert result.ids == ["a/x.txt", "b/y.txt", "link/z.txt"]
    left_out = {rejection.article_id: rejection.reason for rejection in result.rejections}
    assert left_out.keys() == {"a/up", "a/above", "again", "link-2", "link/back"}
    again = f"is a link to {(tmp_path / 'in/b').resolve()}, which is read already, at least in part; leave it out"
    assert left_out["again"] == again


def test_a_link_into_a_hidden_folder_is_followed(write, tmp_path: Path):
    write("in/.versions/3/a.txt", TEXT)
    (tmp_path / "in" / "current").symlink_to(tmp_path / "in" / ".versions" / "3")
    result = read(tmp_path / "in")
    assert (result.ids, result.rejections) == (["current/a.txt"], [])


def test_a_link_that_leads_nowhere_is_reported(write, tmp_path: Path):
    write("in/a.txt", TEXT)
    (tmp_path / "in" / "archive").symlink_to(tmp_path / "not mounted")
    result = read(tmp_path / "in")
    assert result.ids == ["a.txt"]
    assert "archive: is a link that leads nowhere" in result.refusal


def test_a_pattern_over_folders_of_any_depth_takes_whole_folders_too(write, tmp_path: Path):
    for name in ("x/2024/1.txt", "2024/a/2.txt", "x/2023/3.txt", "y/z/2024.txt", ".hidden/2024/4.txt"):
        write(name, TEXT)
    assert read(tmp_path / "**" / "2024").ids == ["2024/a/2.txt", "x/2024/1.txt"]
    assert read(tmp_path / "?" / "**").ids == ["x/2023/3.txt", "x/2024/1.txt", "y/z/2024.txt"]
    assert read(tmp_path / "x" / "**" / "202[34]" / "*").ids == ["2023/3.txt", "2024/1.txt"]


def test_a_pattern_is_told_of_no_link_that_it_does_not_lead_through(write, tmp_path: Path):
    write("a/x.txt", TEXT)
    (tmp_path / "again").symlink_to(tmp_path / "a")
    result = read(tmp_path / "a*" / "**" / "*.txt")
    assert "again: is a link" in result.refusal
    result = read(tmp_path / "[a]" / "**" / "*.txt")
    assert (result.ids, result.rejections) == (["a/x.txt"], [])


def test_a_name_with_brackets_is_a_name_where_the_file_exists(write):
    assert read(write("a[1].txt", TEXT)).ids == ["a[1].txt"]


def test_files_of_one_name_are_told_apart_by_their_path(write):
    one, two, three = write("x/a.txt", TEXT), write("y/a.txt", TEXT), write("y/b.txt", TEXT)
    assert read(one, two, three).ids == [one.as_posix(), two.as_posix(), "b.txt"]


def test_an_id_that_comes_again_is_rejected(write):
    one, two = write("x/a.txt", TEXT), write("y/a.txt", TEXT)
    result = read(one.parent, two.parent)
    assert result.ids == ["a.txt"]
    assert "its article_id came before" in result.refusal


def test_many_ids_are_told_apart_on_disk(write, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("stanceline.readers._FEW_IDS", 10)
    rows = [{"article_id": str(i), "text": "The text of it."} for i in [*range(30), 3, 29]]
    result = read(write("t.jsonl", jsonl(*rows)))
    assert result.ids == [str(i) for i in range(30)]
    assert [r.article_id for r in result.rejections] == ["3", "29"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.txt", "missing.txt: does not exist"),
        ("*.nothing", "matches no file"),
        ("**/*.nothing", "matches no file"),
        ("missing/**", "matches no file"),
        ("good.txt/**", "matches no file"),
        ("links", r"holds no article; .*links/here is a link to .*, which is read already"),
        ("pdfs", r"holds no article; .* \(there are 1 .pdf\)"),
    ],
)
def test_an_input_that_is_not_there_is_an_error_before_any_work(write, tmp_path: Path, name: str, message: str):
    good = write("good.txt", TEXT)
    write("pdfs/a.pdf", b"%PDF-")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "here").symlink_to(tmp_path / "links")
    with pytest.raises(InputError, match=message):
        read_articles([str(good), str(tmp_path / name)], reject=lambda _: None)
    with pytest.raises(InputError, match=message):
        count_inputs([str(good), str(tmp_path / name)])


def test_an_empty_name_is_not_the_working_folder():
    with pytest.raises(InputError, match="empty name"):
        read_articles([""], reject=lambda _: None)


def test_standard_input_is_a_text_or_a_table():
    assert read("-", stdin=TEXT.encode()).only == Article(article_id="stdin", text=TEXT, title="Envoys meet in Lisbon")
    assert read("-", stdin=jsonl({"text": "The text of it."}).encode()).ids == ["stdin#1"]
    assert read("-", stdin=b"article_id,text\na,The text of it.\n").ids == ["a"]
    assert "is empty" in read("-").refusal
    assert "is in Russian" in read("-", stdin=RUSSIAN.encode()).refusal


def test_standard_input_is_read_only_once():
    with pytest.raises(InputError, match="name it once"):
        read_articles(["-", "-"], reject=lambda _: None)


def test_inputs_are_counted_where_that_is_cheap(write, tmp_path: Path):
    write("f/a.txt", TEXT)
    write("f/b.html", PAGE)
    pq.write_table(pa.table({"text": ["x", "y", "z"]}), write("f/t.parquet", b""))
    assert count_inputs([str(tmp_path / "f")]) == 5
    assert count_inputs([str(write("t.jsonl", jsonl({"text": "x"})))]) is None
    assert count_inputs(["-"]) is None


def test_a_list_of_inputs_tells_when_one_has_changed(write, tmp_path: Path):
    path = write("f/a.txt", TEXT)
    before = list_inputs([str(tmp_path / "f")])
    assert before == list_inputs([str(tmp_path / "f")]) == json.loads(json.dumps(before))
    path.write_text(TEXT + "More.")
    assert before != list_inputs([str(tmp_path / "f")])
