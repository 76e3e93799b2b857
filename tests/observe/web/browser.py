"""Chromium, driven from a thread of its own: for the tests of the page, and for the pictures in the docs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

import trio
from playwright.sync_api import Browser, Page, sync_playwright

T = TypeVar("T")

CHROMIUM = shutil.which("chromium")
"""Where it is; None where it is not installed."""
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


@contextmanager
def chromium() -> Generator[Browser]:
    """A browser of its own, with a new profile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_at(
    browser: Browser, url: str, *, dark: bool = False, phone: bool = False, **more: Any
) -> Generator[Page]:
    """A page that must raise nothing and load nothing from elsewhere."""
    size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 800}
    context = browser.new_context(
        viewport=size,  # type: ignore[arg-type]
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        locale="en-GB",
        has_touch=phone,
        **more,
    )
    context.set_default_timeout(5000)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
    here = url.partition("/?")[0]
    page.on("request", lambda asked: None if asked.url.startswith(here) else faults.append(asked.url))
    page.goto(url)
    try:
        yield page
        assert faults == []
    finally:
        context.close()


async def driven(drive: Callable[..., T], *args: Any) -> T:
    """Run what drives a browser in a thread; `trio.from_thread` leads back. A checkpoint."""
    return await trio.to_thread.run_sync(drive, *args)


def show(page: Page, view: str, wanted: str) -> None:
    """Go to a view, and wait for something in it."""
    page.evaluate("view => { location.hash = '#/' + view }", view)
    page.wait_for_selector(wanted)
