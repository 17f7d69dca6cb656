"""The review page in a real browser: the whole loop by keyboard, a hostile article, contrast, small screens."""

import json
import time

import pytest
import review_browser
import review_cases
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from stanceline.label_files import read_examples

pytestmark = pytest.mark.skipif(bool(review_browser.missing_browser()), reason=review_browser.missing_browser())

LEAFLET = 3  # number of the hostile article

# Texts whose contrast to what is behind them is less than WCAG's AA asks for.
LOW_CONTRAST = """
const rgb = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
const behind = (element) => {
  const layers = [];
  for (let e = element; e; e = e.parentElement) layers.push(rgb(getComputedStyle(e).backgroundColor));
  return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
};
const luminance = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
  const v = c[i] / 255;
  return sum + weight * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
}, 0);
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const element = node.parentElement;
  if (!node.data.trim() || !element.checkVisibility()) continue;
  if (element.closest(".unseen, :disabled, script, noscript, option, svg")) continue;
  const style = getComputedStyle(element), ground = behind(element);
  const [a, b] = [luminance(over(rgb(style.color), ground)), luminance(ground)].sort((x, y) => y - x);
  const size = parseFloat(style.fontSize), isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
  const ratio = (a + 0.05) / (b + 0.05);
  const told = `${ratio.toFixed(2)} ${element.className} ${node.data.trim().slice(0, 30)}`;
  if (ratio < (isLarge ? 3 : 4.5)) found.push(told);
}
return found;
"""

NAMELESS = """
return [...document.querySelectorAll("button, a, input, select, svg[role=img], summary, [role=button]")]
  .filter((e) => e.checkVisibility())
  .filter((e) => !(e.ariaLabel || e.textContent.trim() || e.labels?.length || e.placeholder))
  .map((e) => e.outerHTML.slice(0, 80));
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    driver = review_browser.open_browser(tmp_path_factory.mktemp("browser"))
    yield driver
    driver.quit()


@pytest.fixture
def server(tmp_path):
    server = review_browser.Server(review_cases.write(tmp_path / "p.jsonl", repeat=2), tmp_path / "l.jsonl").start()
    yield server
    server.kill()


class Page:
    """What a person does with the page."""

    def __init__(self, driver, server, width=1280, height=900, dark=False):
        self.driver, self.server = driver, server
        review_browser.set_screen(driver, width, height, dark=dark)

    def open(self, place):
        self.driver.get("about:blank")
        self.driver.get(f"{self.server.url}/#/{place}")
        self.until(lambda: self.all("main[aria-busy=false]"))

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector).text

    def press(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def until(self, condition):
        return WebDriverWait(self.driver, 60, 0.05, [NoSuchElementException, StaleElementReferenceException]).until(
            lambda driver: condition()
        )

    def script(self, code):
        return self.driver.execute_script(code)


def _records(server):
    path = server.files[1]
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def test_the_loop_from_looking_to_an_export_by_keyboard_through_a_kill(driver, server, tmp_path):
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    page = Page(driver, server)
    page.open("article/1")
    assert page.text("h1") == "Port and rail"
    tints = [element.get_attribute("class") for element in page.all(".sentence")]
    page.press("t")
    page.until(lambda: page.script("return location.hash").endswith("field=night_trains"))
    assert [element.get_attribute("class") for element in page.all(".sentence")] != tints
    assert "Night trains" in page.text(".panel")

    page.open("queue?field=night_trains")
    assert page.all(".outcome") == []
    for number, key in enumerate("fanxfanxsb", start=1):
        question, card = page.text(".asked"), page.text(".card")
        assert "%" not in card, "the model's answer must not be there before the person's"
        page.press(key)
        page.until(lambda: len(_records(server)) == number)  # noqa: B023 - waited for at once
        page.until(lambda: page.text(".excerpt")[:30] == question[:30])  # noqa: B023
        page.until(lambda: page.text(".card") != card)  # noqa: B023
        assert "model" in page.text(".verdict")
    given = _records(server)
    assert [
        record["label"] for record in given
    ] == "favor against neutral none favor against neutral none skip bad".split()
    assert all(record["blind"] and record["annotator"] == "ana" for record in given)
    assert {record["field"] for record in given} == {"night_trains", None}

    page.press("u")
    page.until(lambda: len(_records(server)) == 11)
    assert _records(server)[-1]["undoes"] == given[-1]["id"]
    page.until(lambda: page.text(".asked")[:30] == given[-1]["text"][:30].strip())

    server.kill()
    page.press("n")
    page.until(lambda: "kept here" in page.text("#banner"))
    server.start()
    page.until(lambda: len(_records(server)) == 12)
    page.until(lambda: not page.all("#banner")[0].is_displayed())
    assert _records(server)[-1]["label"] == "neutral"
    assert _records(server)[-1]["blind"] is False, "it had been shown before the undo"

    page.open("queue?field=night_trains")
    assert page.text("#answered") == "9 of 31"
    page.all("#export")[0].click()
    exported = tmp_path / "labels-for-training.jsonl"
    page.until(exported.exists)
    table = read_examples([exported], targets=("harbour_tax", "night_trains"))
    assert table.counts.used == 9
    assert sorted(e.labels["night_trains"] for e in table.examples if e.labels) == sorted(
        "favor against neutral none".split() * 2 + ["neutral"]
    )
    assert server.stop() == 0


def test_a_hostile_article_is_shown_as_text(driver, server):
    page = Page(driver, server)
    driver.get_log("browser")
    page.open(f"article/{LEAFLET}")
    page.until(lambda: len(page.all(".sentence")) == len(review_cases.HOSTILE))
    assert page.text("h1").startswith("<i>Leaflet</i>")
    texts = [element.text for element in page.all(".sentence")]
    assert review_cases.HOSTILE[0] in texts[0]
    assert review_cases.HOSTILE[1] in texts[1]
    assert [element.text for element in page.all(".sentence .control")] == ["RLO", "PDF", "ZWSP", "U+0007", "U+0000"]
    for view in ("queue", "corpus", "conflicts"):
        page.open(view)
    page.until(lambda: page.all("figure") or True)
    assert page.script(
        "return window.broken === undefined && !document.querySelector('main b img, main script, main iframe')"
    )
    assert [entry["message"] for entry in driver.get_log("browser")] == [], "nothing was even tried"


def test_a_sentence_of_300_000_characters_is_cut_and_can_be_shown(driver, server):
    page = Page(driver, server)
    page.open(f"article/{LEAFLET}")
    (huge,) = [
        element for element in page.all(".sentence") if element.text.startswith("longxxx") or "longxxx" in element.text
    ]
    assert len(huge.text) < 3_000
    driver.execute_script("arguments[0].focus()", huge)
    page.until(lambda: page.all(".context button"))[0].click()
    page.until(lambda: len(page.all(".sentence")[5].get_property("textContent")) > 90_000)
    assert page.script("return document.documentElement.scrollWidth <= innerWidth")


def test_a_correction_in_the_article_and_a_conflict_that_is_settled(driver, server):
    page = Page(driver, server)
    page.open("article/1")
    page.all(".sentence")[2].click()
    page.press("a")
    page.until(lambda: len(_records(server)) == 1)
    page.until(lambda: "✎" in page.all(".sentence")[2].text)
    page.press("x")
    page.until(lambda: len(_records(server)) == 2)
    first, second = _records(server)
    assert second["replaces"] == [first["id"]], "the same person corrects, there is no conflict"
    assert (second["blind"], second["sentence_index"]) == (False, 2)

    page.script("const n = document.getElementById('annotator'); n.value = 'ben'; n.dispatchEvent(new Event('change'))")
    page.until(lambda: page.all(".sentence"))
    time.sleep(0.5)
    page.all(".sentence")[2].click()
    page.press("f")
    page.until(lambda: len(_records(server)) == 3)
    page.open("conflicts")
    assert page.text("h1") == "1 conflict"
    assert "ana" in page.text(".who")
    assert "ben" in page.text(".who")
    page.all(".conflicts .answer")[2].click()
    page.until(lambda: page.text("h1") == "No conflicts")
    assert _records(server)[-1]["kind"] == "resolution"
    page.script("localStorage.clear()")


def test_everything_can_be_reached_by_keyboard(driver, server):
    page = Page(driver, server)
    page.open("article/1")
    page.press(Keys.TAB)
    assert page.script("return document.activeElement.className") == "skip-link"
    name = "const e = document.activeElement; return e.id || e.dataset.view || e.className || e.name || e.tagName"
    seen = []
    while "skip-link" not in seen and len(seen) < 100:  # once round
        page.press(Keys.TAB)
        seen.append(page.script(name))
    for wanted in ("wordmark", "article", "queue", "corpus", "annotator", "export", "help", "field"):
        assert wanted in seen
    assert sum("sentence" in name for name in seen) == 1, "one stop for the article, arrows inside"
    page.script("document.querySelector('.sentence').focus()")
    page.press(Keys.ARROW_RIGHT, "j", "k", Keys.ARROW_RIGHT)
    assert "Nobody asked" not in page.text(".panel h2")
    assert page.text(".panel h2") == "Sentence 3"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [(1280, 900), (390, 844)])
def test_contrast_names_and_width_are_right_on_every_view(driver, server, size, dark):
    page = Page(driver, server, *size, dark=dark)
    for place in ("article/1", "article/1?field=sentiment", "queue", "corpus", "conflicts"):
        page.open(place)
        if place == "corpus":
            page.until(lambda: len(page.all("figure")) == 2)
        assert page.script(LOW_CONTRAST) == [], place
        assert page.script(NAMELESS) == [], place
        assert page.script("return document.documentElement.scrollWidth") <= size[0], place


def test_filters_narrow_the_corpus_and_stay_in_the_address(driver, server):
    page = Page(driver, server)
    page.open("corpus?field=harbour_tax")
    assert page.text(".results h2") == "31 sentences"
    page.all("input[name=find]")[0].send_keys("night trains")
    page.until(lambda: page.text(".results h2") == "4 sentences")
    assert "find=night+trains" in page.script("return location.hash")
    page.all(".results .text a")[1].click()
    page.until(lambda: page.text(".panel h2") == "Sentence 9")
