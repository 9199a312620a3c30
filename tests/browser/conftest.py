"""One headless Chromium for all tests of the pages, driven by selenium; nothing is fetched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

HOW = "needs Chromium and its driver: apt-get install chromium chromium-driver"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser, without a window; where there is none the tests are skipped, except with CI set."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (binary and driver):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    yield browser
    browser.quit()
