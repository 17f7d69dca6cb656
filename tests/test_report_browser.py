"""The page as a browser shows it; skipped, with the reason, where there is no Chromium."""

import pytest
from report_cases import checkpoint_folder, corpus, prediction, write
from review_browser import missing_browser, open_browser, set_screen

from stanceline.report import make_report

pytestmark = pytest.mark.skipif(bool(missing_browser()), reason=missing_browser() or "there is a browser")


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    manifest = checkpoint_folder(folder / "tiny")
    rows = list(corpus(manifest.reference, articles=40))
    rows.append(prediction(90, 0, "w" * 3000, reference=manifest.reference, source="u" * 200, title="t" * 300))
    rows += [
        prediction(91, index, reference=manifest.reference, labels={"dam_project": "favor", "fish_quota": "against"})
        for index in range(30)
    ]
    path = write(folder / "predictions.jsonl", rows)
    make_report(path, folder / "report.html", model=folder / "tiny")
    driver = open_browser(folder)
    driver.get((folder / "report.html").as_uri())
    yield driver
    driver.quit()


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(shown, width):
    set_screen(shown, width, 900)
    assert shown.execute_script("return document.documentElement.scrollWidth") == width


def test_the_policy_blocks_nothing_that_the_page_needs(shown):
    shown.refresh()
    assert shown.get_log("browser") == []
    assert shown.execute_script("return getComputedStyle(document.querySelector('.stack')).height") == "14px"


def test_the_articles_change_their_tints_and_marks_with_the_target(shown):
    set_screen(shown, 1280, 900)
    script = """
        document.getElementById(arguments[0]).click();
        const sentence = document.querySelector('.s[data-f0="favor"][data-f1="against"]');
        const marks = [...sentence.querySelectorAll('.m')].filter(m => getComputedStyle(m).display !== 'none');
        return [getComputedStyle(sentence).backgroundColor, marks.map(m => m.textContent).join('')];
    """
    favor, first = shown.execute_script(script, "pick-0")
    against, second = shown.execute_script(script, "pick-1")
    assert (first, second) == ("F", "A")
    assert favor != against
