import json
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stanceline.sentences import split_sentences, split_stream, title_of

SHARED = Path(__file__).parents[2] / "shared" / "articles"

# `|` stands between the sentences, and is replaced by a space.
HARD_CASES = [
    "The U.S. Senate met in Washington. | It adjourned early.",
    "They were trained in the U.S. | The course took a year.",
    "A U.S. Under Secretary arrived. | Under the deal, he stays.",
    "Gen. Paul Orbe and Lt. Col. Ines Waker met Amb. B. Tarr. | They talked.",
    "The talks opened at 5 p.m. | The hall was full.",
    "The talks opened at 10 a.m. Tuesday in a tent. | The hall was full.",
    "The call is under embargo until 9:30 a.m. Eastern tomorrow. | Questions?",
    "J. R. Okello spoke first. | W. B. Saro replied.",
    "Draft No. 5 invokes Art. 51 and para. 12 of the annex. | It passed.",
    "It rose by 3.5 percent to $1.2 billion. | It fell again.",
    "The first payment came in May. | Kenya thanked the donors.",
    "He said no. | Lagos said yes.",
    '"We will wait." | She paused. | "Then we will act," she said.',
    "“We want peace. | We want it soon,” said the envoy.",
    "‘We want peace.’ | She left.",
    '"Who pays?" asked the clerk. | Nobody knew.',
    '"Who pays?" Envoy Rosa Lind asked. | Nobody knew.',
    'He shouted "Stop!" and left. | Nobody followed.',
    "I waited... and then I went. | Nobody came.",
    "We may go… | The door is open.",
    "He cited […] Nairobi as an example. | It was apt.",
    "The vote (some called it a farce. Others did not) is over. | Next week they meet.",
    "[Laughter.] | Thank you all. | (Applause.) | We go on.",
    "VARDEN, May 17. /HNA/. The border is quiet, the ministry said. | It gave no figures.",
    "ORLIK. August 13. Smoke rose over the market. | Trains stood still.",
    "Beijing, 5 March (Xinlan). The plan was read out. | It has ten points.",
    "VARDEN, Dec. 6 (HNA) - The border is quiet. | It gave no figures.",
    "Q: Will you sign? | A: We will see. | Q: When?",
    "MR. DELANE: The treaty is ready. | MS. HART: So is the pen.",
    "QUESTION: Is it over? | ANSWER: It is not.",
    "1. We met in Oslo. | 2. We agree on the annex. | 3bis. The annex is public.",
    "He is from Springfield, R-N.D. | The vote was close.",
    "It was signed there.[1] | Then it was forgotten.[2][3]",
    "They meet in St. Anselm on Mt. Kora. | Dr. Ruiz chairs.",
    "They fly to St. Petersburg and Ft. Sarne. | Nobody waits there.",
    "He works on Wall St. | The mood was grim.",
    "Wall St. | The mood was grim.",
    "The wall was 30 ft. | It fell.",
    "It ends at 5 p.m. | Monday was next.",
    "The hall will open again at about 9:30 a.m. | Tuesday is a holiday.",
    "It starts at 5 p.m. | Monday’s session was longer.",
    "The talks will end at 5 p.m. Monday. | Nobody minds.",
    "The vote due to begin at 5 p.m. Monday was put off. | Nobody minds.",
    "The vote at 5 p.m. Monday will decide. | Nobody minds.",
    "A curfew that starts at 5 p.m. Monday will last. | Nobody minds.",
    "Mr. He met Dr. Who at the gate. | They talked.",
    "Read www.example.org/a.b for more. | It is free.",
    "Это первое предложение. | Это второе.",
]


@pytest.mark.parametrize("case", HARD_CASES)
def test_hard_cases_are_split_where_a_reader_would(case: str):
    expected = [part.strip() for part in case.split("|")]
    assert [s.text for s in split_sentences(" ".join(expected))] == expected


def test_chinese_sentences_end_without_a_space():
    assert [s.text for s in split_sentences("会议结束了。他们离开了。")] == ["会议结束了。", "他们离开了。"]


SPACES = st.sampled_from([" ", "\n", "\n\n", "\r\n", "\t", "\u2028", "\xa0", "  "])
WORDS = st.sampled_from(
    'The U.S. said Gen. "No. 5 "Yes." (see p. 3) MOSCOW, May 17. /TASS/. Q: A. 1. - • wait... end. Why? 😀 '
    "é\u0301 \u200b » don't ‘so’ *bold.* 5 p.m. x.y [1] 。".split()
)


@given(st.lists(st.tuples(st.one_of(WORDS, st.text(max_size=8)), SPACES), max_size=60))
def test_offsets_reproduce_the_text_and_nothing_is_lost(parts: list[tuple[str, str]]):
    text = "".join(word + space for word, space in parts)
    sentences = list(split_sentences(text))
    assert [s.index for s in sentences] == list(range(len(sentences)))
    position = 0
    for s in sentences:
        assert text[s.start : s.end] == s.text == s.text.strip() != ""
        assert text[position : s.start].strip() == ""
        position = s.end
    assert text[position:].strip() == ""


ARTICLE = """Ministers agree on a corridor
VARDEN, May 17. /HNA/. The ministers of nine countries agreed on Friday on a corridor for grain, and on who would \
guard it. They will meet again in June, the host said, if the rains allow it.
"It is a beginning," said Ada Quill. "It must not be the end."
"""
ARTICLE_SENTENCES = [
    "Ministers agree on a corridor",
    "VARDEN, May 17. /HNA/. The ministers of nine countries agreed on Friday on a corridor for grain, and on who would "
    "guard it.",
    "They will meet again in June, the host said, if the rains allow it.",
    '"It is a beginning," said Ada Quill.',
    '"It must not be the end."',
]


def test_a_headline_without_a_full_stop_is_a_sentence():
    assert [s.text for s in split_sentences(ARTICLE)] == ARTICLE_SENTENCES


@pytest.mark.parametrize("width", [60, 72, 78])
@pytest.mark.parametrize("between", ["\n\n", "\n"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_lines_wrapped_at_a_width_do_not_end_sentences(width: int, between: str, line_end: str):
    wrapped = between.join("\n".join(textwrap.wrap(line, width)) for line in ARTICLE.splitlines())
    split = split_sentences(wrapped.replace("\n", line_end))
    assert [" ".join(s.text.split()) for s in split] == ARTICLE_SENTENCES


def test_a_line_that_breaks_off_goes_on_in_the_next():
    text = "The ministers agreed on Friday on a\ncorridor for grain. They left."
    assert [s.text for s in split_sentences(text)] == [
        "The ministers agreed on Friday on a\ncorridor for grain.",
        "They left.",
    ]


def test_headlines_in_lines_of_their_own_stay_apart():
    lines = [
        "Port reopens after strike",
        "Whose war is it? Voters ask why",
        "Talks fail again",
        "Rice is dearer in Kora",
    ]
    assert [s.text for s in split_sentences("\n".join(lines))] == lines


def test_lines_in_lower_case_stay_apart():
    lines = ["port reopens after strike", "talks fail again", "rice is dearer in kora"]
    assert [s.text for s in split_sentences("\n".join(lines))] == lines


def test_list_items_are_sentences():
    text = "We ask for:\n- a ceasefire\n- a corridor. It must be guarded.\n1) a fund\n(b) a table\n• a date"
    assert [s.text for s in split_sentences(text)] == [
        "We ask for:",
        "- a ceasefire",
        "- a corridor.",
        "It must be guarded.",
        "1) a fund",
        "(b) a table",
        "• a date",
    ]


def test_a_speaker_in_a_line_of_his_own_stays_with_his_sentence():
    text = "MR. DELANE:\nWe are ready. It is time.\nQ:\nWhen?"
    assert [s.text for s in split_sentences(text)] == ["MR. DELANE:\nWe are ready.", "It is time.", "Q:\nWhen?"]


@pytest.mark.parametrize("unit", ["word ", "a", "Stop. but ", "U.S. ", '"x? ', "((", "1. ", "x\n", "\n", "。"])
def test_long_texts_take_time_in_proportion(unit: str):
    def seconds(characters: int) -> float:
        text = unit * (characters // len(unit))
        start = time.process_time()
        for _ in split_sentences(text):
            pass
        return time.process_time() - start

    seconds(1000)
    # Four times the text takes four times as long; sixteen times would be quadratic.
    assert seconds(100_000) < 9 * max(seconds(25_000), 0.01)


def test_a_single_line_of_five_megabytes_is_one_sentence():
    text = "and so on " * 500_000
    (sentence,) = split_sentences(text)
    assert sentence.text == text.strip()


def test_sentences_come_lazily():
    text = ARTICLE * 20_000
    start = time.process_time()
    assert next(split_sentences(text)).text == ARTICLE_SENTENCES[0]
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize("size", [997, 50_000])
def test_a_stream_gives_the_same_sentences(size: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("stanceline.sentences._STREAMED", 30_000)
    monkeypatch.setattr("stanceline.sentences._HELD_BACK", 2_000)
    text = ARTICLE * 300
    assert list(split_stream(text[i : i + size] for i in range(0, len(text), size))) == list(split_sentences(text))


def test_a_stream_without_line_breaks_is_split_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("stanceline.sentences._STREAMED", 30_000)
    monkeypatch.setattr("stanceline.sentences._HELD_BACK", 2_000)
    text = "It is a beginning, said the host. " * 5000
    sentences = list(split_stream(text[i : i + 1000] for i in range(0, len(text), 1000)))
    assert len(sentences) == 5000
    assert all(text[s.start : s.end] == s.text for s in sentences)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (ARTICLE, "Ministers agree on a corridor"),
        ("Whose war is it?\n\nNobody knows.", "Whose war is it?"),
        ("# Envoys meet *again*\n\nThey met.", "Envoys meet *again*"),
        ("**Envoys meet**\n\nThey met.", "Envoys meet"),
        ("Talks open with the U.S.\nThey met.", "Talks open with the U.S."),
        ("\n\n  Envoys meet  \nThey met.", "Envoys meet"),
        ("They met on Friday.\nThey talked.", ""),
        ("“They met on Friday.”\nThey talked.", ""),
        ("Envoys meet", ""),  # the title of nothing
        ("Dear colleagues,\nthank you.", ""),
        ("The ministers agreed on a\ncorridor for grain.", ""),
        ("word " * 100 + "\nThey met.", ""),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_the_title_is_a_first_line_without_a_full_stop(text: str, title: str):
    assert title_of(text) == title


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the development data is not here")
def test_the_real_wire_article_is_split_as_its_labels_say():
    text = (SHARED / "belarus-security-for-all.txt").read_text(encoding="utf-8")
    lines = (SHARED / "belarus-security-for-all.labels.jsonl").read_text(encoding="utf-8").splitlines()
    gold = [(row["sentence_index"], row["start"], row["end"], row["text"]) for row in map(json.loads, lines)]
    assert [(s.index, s.start, s.end, s.text) for s in split_sentences(text)] == gold
    assert title_of(text) == gold[0][3]
