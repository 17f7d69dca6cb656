"""The pictures of the report in docs/images: `python tests/report_pictures.py PREDICTIONS MODEL`; not a test."""

import base64
import sys
import tempfile
from pathlib import Path

from review_browser import open_browser, set_screen
from selenium import webdriver

from stanceline.report import make_report

IMAGES = Path(__file__).parent.parent / "docs" / "images"


def shoot(driver: webdriver.Chrome, name: str, width: int, height: int, start: str = "") -> None:
    """A picture of the page from an element on."""
    top = driver.execute_script(
        "const found = arguments[0] && document.querySelector(arguments[0]);"
        "return found ? found.getBoundingClientRect().top + scrollY - 20 : 0",
        start,
    )
    clip = {"x": 0, "y": top, "width": width, "height": height, "scale": 1}
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    (IMAGES / f"report-{name}.png").write_bytes(base64.b64decode(shot["data"]))


def main(predictions: Path, model: Path) -> None:
    """Takes all pictures of one report."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        page = Path(folder) / "report.html"
        make_report(predictions, page, model=model)
        driver = open_browser(Path(folder))
        try:
            driver.get(page.as_uri())
            set_screen(driver, 1280, 900)
            shoot(driver, "desktop", 1280, 1500)
            shoot(driver, "desktop-articles", 1280, 1100, "#articles")
            set_screen(driver, 1280, 900, dark=True)
            shoot(driver, "desktop-dark", 1280, 1400, "#field-0")
            set_screen(driver, 390, 844)
            shoot(driver, "phone", 390, 1300)
            shoot(driver, "phone-field", 390, 1500, "#field-0")
            shoot(driver, "phone-articles", 390, 1300, "#articles")
        finally:
            driver.quit()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
