"""Takes the pictures of docs/review.md: `python tests/review_pictures.py PREDICTIONS docs/images`."""

import json
import sys
import tempfile
import urllib.request
from pathlib import Path

import review_browser
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
ANSWERS = 12
ARTICLE = 3


def post(server: review_browser.Server, body: dict) -> None:
    """Records an answer."""
    request = urllib.request.Request(
        f"{server.url}/api/labels", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request).close()


def likely_key(server: review_browser.Server) -> str:
    """What the model would answer to the next question."""
    with urllib.request.urlopen(f"{server.url}/api/status") as response:
        field = json.load(response)["fields"][0]["name"]
    with urllib.request.urlopen(f"{server.url}/api/labels/queue?annotator=ana&field={field}") as response:
        number = json.load(response)["items"][0]["sentence"]["id"]
    with urllib.request.urlopen(f"{server.url}/api/predictions/{number}") as response:
        label = json.load(response)["sentence"]["predictions"][field]["label"]
    return {"favor": "f", "against": "a", "neutral": "n", "none": "x"}[label]


def disagree(server: review_browser.Server) -> None:
    """Two people who differ about one sentence of the article that is shown."""
    with urllib.request.urlopen(f"{server.url}/api/articles/{ARTICLE}") as response:
        sentence = json.load(response)["page"][3]
    with urllib.request.urlopen(f"{server.url}/api/status") as response:
        field = json.load(response)["fields"][0]["name"]
    for name, label in (("ben", "against"), ("cleo", "neutral")):
        place = {key: sentence[key] for key in ("article_id", "sentence_index")}
        post(server, {"id": f"picture-{name}", "annotator": name, "field": field, "label": label, **place})


def main(predictions: Path, folder: Path) -> None:
    """Answers a few questions, then photographs every view in both sizes."""
    with tempfile.TemporaryDirectory() as work:
        server = review_browser.Server(predictions, Path(work) / "labels.jsonl").start()
        driver = review_browser.open_browser(Path(work))

        def show(place: str) -> None:
            driver.get("about:blank")
            driver.get(f"{server.url}/#/{place}")
            ready = "main[aria-busy=false]" + (" figure" if place == "corpus" else "")
            WebDriverWait(driver, 240).until(lambda d: d.find_elements(By.CSS_SELECTOR, ready))

        disagree(server)
        show("queue")
        for number in range(ANSWERS):
            key = likely_key(server) if number % 4 else "n"
            before = driver.find_element(By.CSS_SELECTOR, ".card").text
            ActionChains(driver).send_keys(key).perform()
            WebDriverWait(driver, 240).until(lambda d: d.find_element(By.CSS_SELECTOR, ".card").text != before)  # noqa: B023
        for size, (width, height) in SIZES.items():
            review_browser.set_screen(driver, width, height)
            if size != "desktop":
                show("queue")
                before = driver.find_element(By.CSS_SELECTOR, ".card").text
                ActionChains(driver).send_keys(likely_key(server)).perform()
                WebDriverWait(driver, 240).until(lambda d: d.find_element(By.CSS_SELECTOR, ".card").text != before)  # noqa: B023
            driver.save_screenshot(str(folder / f"review-queue-{size}.png"))
            for place in (f"article/{ARTICLE}", "corpus", "conflicts"):
                show(place)
                driver.save_screenshot(str(folder / f"review-{place.split('/')[0]}-{size}.png"))
        review_browser.set_screen(driver, *SIZES["desktop"], dark=True)
        show(f"article/{ARTICLE}")
        driver.save_screenshot(str(folder / "review-article-dark.png"))
        driver.quit()
        server.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
