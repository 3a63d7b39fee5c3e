"""Omniboard in a real browser: what a person sees of the records, and gets out of it."""

from __future__ import annotations

import os
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from experiments.tracking import log_epoch
from tests.experiments.boards import Board, wait
from tests.experiments.equality import assert_mirrored, load
from tests.experiments.servers import database
from tests.experiments.test_tracking import record

PICTURES = os.environ.get("HIPREG_TEST_PICTURES")
"""A folder for screenshots, to look at."""


def text(browser: webdriver.Chrome) -> str:
    return str(browser.find_element(By.TAG_NAME, "body").text)


def see(browser: webdriver.Chrome, *words: str) -> str:
    """The text of the page, once it has all of ``words``."""
    WebDriverWait(browser, 60).until(lambda _: all(word in text(browser) for word in words))
    return text(browser)


def picture(browser: webdriver.Chrome, name: str) -> None:
    if PICTURES:
        browser.save_screenshot(str(Path(PICTURES) / f"{name}.png"))


def test_page_shows_runs_with_status_configuration_and_metrics(
    board: Board, browser: webdriver.Chrome
) -> None:
    browser.get(board.address)
    shown = see(browser, "COMPLETED", "FAILED", "0.54", "sym")
    picture(browser, "runs")
    for column in ("Val/dice max", "Val/hd95 min", "Train/loss last", "Configuration", "Seed"):
        assert column in shown
    assert "3.6" in shown  # the smallest HD95
    assert "NaN" in shown  # the last loss, which JSON has no word for


def press(browser: webdriver.Chrome, selector: str) -> None:
    """Click what a CSS selector finds, once it is there."""
    found = WebDriverWait(browser, 60).until(
        lambda _: browser.find_elements(By.CSS_SELECTOR, selector)
    )
    browser.execute_script("arguments[0].click()", found[0])


def press_text(browser: webdriver.Chrome, word: str) -> None:
    found = WebDriverWait(browser, 60).until(lambda _: browser.find_elements(By.LINK_TEXT, word))
    browser.execute_script("arguments[0].click()", found[0])


def test_metric_plot_opens_and_artifact_has_its_bytes(
    board: Board, browser: webdriver.Chrome, downloads: Path
) -> None:
    browser.get(board.address)
    see(browser, "COMPLETED", "FAILED")
    with database(board.url) as db:
        last = db["runs"].count_documents({}) - 1  # the oldest run is the last row
    press(browser, f"[test-attr='cell-row_expander-{last}']")
    press_text(browser, "Metrics Plot")
    traces = ".js-plotly-plot .scatterlayer .trace"
    WebDriverWait(browser, 60).until(lambda _: browser.find_elements(By.CSS_SELECTOR, traces))
    picture(browser, "plot")
    legend = browser.find_elements(By.CSS_SELECTOR, ".js-plotly-plot .legendtext")
    named = {entry.text.removesuffix(".unsmoothed").split(" ")[0] for entry in legend}
    assert named == {"val/dice", "val/hd95", "train/loss"}
    press_text(browser, "Artifacts")
    press(browser, ".accordion__title")
    press(browser, "[test-attr='down-btn-pairs_val.csv']")
    got = downloads / "pairs_val.csv"
    wait(got.exists)
    picture(browser, "artifact")
    assert got.read_bytes() == (board.root / "1/artifacts/pairs_val.csv").read_bytes()


def test_run_that_comes_is_seen(board: Board, browser: webdriver.Chrome) -> None:
    record(lambda run: log_epoch(run, 0, {"val/dice": 0.9125}), board.root)
    with database(board.url) as db:
        wait(lambda: db["runs"].count_documents({"meta.mirror": {"$exists": True}}) == 3)
    assert_mirrored(board.root, board.url)
    assert set(load(board.root / "1" / "mirror.json")) == {"Omniboard's own database"}
    browser.get(board.address)
    see(browser, "0.9125")
