"""The page in a real browser: what it shows as it happens, what a person does there, who can use it."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.observe.web.browser import CHROMIUM, chromium, driven, page_at, show
from tests.observe.web.scene import MARKUP, Order, Scene, scene

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"
)


def row(page: Page, path: str) -> Any:
    """A row of the tree."""
    return page.locator(f'[role=treeitem][data-path="{path}"]')


def cut_all(here: Scene) -> None:
    """Every connection ends, as when a network fails."""
    site = here.observatory._site
    for connection in tuple(site.server.connections):
        connection.cut()


async def test_a_crash_arrives_and_a_lost_connection_loses_nothing() -> None:
    """The tree, the events and the actor's page change as it happens; so they do after a cut."""
    async with scene() as here:

        def drive() -> None:
            with chromium() as browser, page_at(browser, here.observatory.url) as page:
                expect(page.locator("#link")).to_have_text("Live")
                expect(row(page, "/kettle")).to_contain_text("idle")
                trio.from_thread.run_sync(here.refs["kettle"].tell, Order("coffee"))
                expect(row(page, "/kettle").locator(".restarts")).to_have_text("1")
                show(page, "events", ".fact")
                expect(page.locator(".fact", has_text="cannot boil coffee").first).to_be_visible()
                show(page, "actor/kettle", ".why li")
                expect(page.locator(".why")).to_contain_text("ValueError: cannot boil coffee")
                expect(page.locator(".why")).to_contain_text("KeyError")

                show(page, "events", ".fact")
                trio.from_thread.run_sync(cut_all, here)
                for number in range(3):
                    trio.from_thread.run_sync(here.refs["kettle"].tell, Order(f"tar {number}"))
                expect(page.locator("#link")).to_have_text("Live", timeout=8000)
                for number in range(3):
                    fact = page.locator('.fact[data-kind="Failed"]', has_text=f"cannot boil tar {number}")
                    expect(fact).to_have_count(1)
                numbers = page.eval_on_selector_all(
                    ".fact", "rows => rows.map(row => Number(row.dataset.number))"
                )
                assert numbers == list(range(numbers[0], numbers[-1] - 1, -1)), "each fact once, none missed"
                show(page, "actor/%", "h1")
                expect(page.locator("h1")).to_contain_text("%")
                wake_after_an_hour(page, here)

        await driven(drive)


def wake_after_an_hour(page: Page, here: Scene) -> None:
    """The machine slept: nobody told it that its connection has ended, and it looks for itself."""

    def connections() -> set[object]:
        return set(here.observatory._site.server.connections)

    before = trio.from_thread.run_sync(connections)
    page.clock.install()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(100)
    assert trio.from_thread.run_sync(connections) >= before, "one that is heard is kept"
    page.clock.fast_forward(3_600_000)
    with page.expect_websocket() as again:
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert "after=" in again.value.url
    expect(page.locator("#link")).to_have_text("Live")


async def test_requests_are_answered_by_keyboard_and_letters_sent_again() -> None:
    """Tab and Enter are enough; the focus goes on to what is next; whoever waits gets the answer."""
    async with scene() as here:
        here.ask("approval", f"Deploy? {MARKUP}", timeout=600.0, priority=1)
        here.ask("choice", "Which tea?", ("Assam", MARKUP), timeout=600.0)
        here.refs["kettle"].tell(MARKUP)

        def drive() -> None:
            with chromium() as browser, page_at(browser, here.observatory.url) as page:
                page.wait_for_selector("[role=treeitem]")
                page.keyboard.press("3")
                page.wait_for_selector(".request")
                expect(page.locator(".request")).to_have_count(2)
                expect(page.locator(".question").first).to_have_text(f"Deploy? {MARKUP}")
                page.keyboard.press("j")
                page.keyboard.press("Tab")
                expect(page.get_by_role("button", name="Approve")).to_be_focused()
                page.keyboard.press("Enter")
                expect(page.locator(".request")).to_have_count(1)
                expect(page.locator("#say")).to_have_text("Answered: Approve")
                expect(page.locator(".request")).to_be_focused()
                page.get_by_role("button", name=MARKUP).click()
                expect(page.locator(".empty")).to_be_visible()

                trio.from_thread.run_sync(lambda: here.ask("clarification", "And now?", timeout=600.0))
                expect(page.locator("#say")).to_have_text("New request: And now?")
                page.get_by_label("Your answer").fill("tea")
                page.get_by_role("button", name="Send").click()
                expect(page.locator(".request")).to_have_count(0)

                page.keyboard.press("4")
                letter = page.locator(".letter")
                expect(letter.locator(".message")).to_contain_text("<img src=x onerror=")
                letter.get_by_role("button", name="Redeliver").click()
                expect(page.locator("#say")).to_contain_text("Sent again to /kettle")
                page.locator(".letter").get_by_role("button", name="Drop").click()
                expect(page.locator(".letter")).to_have_count(0)
                assert page.locator("main img, main script").count() == 0
                assert "broken" not in page.title()

        await driven(drive)
        assert here.answers == {f"Deploy? {MARKUP}": True, "Which tea?": MARKUP, "And now?": "tea"}


async def test_the_tree_is_walked_with_arrows() -> None:
    """As trees are; nothing traps the focus; the help opens and closes; the phone has all views."""
    async with scene(rich=True) as here:

        def drive() -> None:
            with chromium() as browser:
                with page_at(browser, here.observatory.url) as page:
                    page.wait_for_selector('[data-path="/library/reader-1"]')
                    walk(page)
                with page_at(browser, here.observatory.url, phone=True) as page:
                    page.wait_for_selector("[role=treeitem]")
                    for view in ("Events", "Requests", "Dead letters", "Nodes", "Tree"):
                        page.locator(".tabs a", has_text=view).tap()
                        expect(page.locator(".tabs a[aria-current]")).to_contain_text(view)
                        wide = page.evaluate("document.documentElement.scrollWidth")
                        assert wide <= 390, f"{view} is {wide} wide on a phone"

        await driven(drive)


def walk(page: Page) -> None:
    """With keys alone."""
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(6):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.role") == "treeitem":
            break
    expect(row(page, "/")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(row(page, "/kitchen")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(row(page, "/kitchen")).to_have_attribute("aria-expanded", "false")
    expect(row(page, "/kitchen/oven")).to_have_count(0)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(row(page, "/kitchen/oven")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(row(page, "/kitchen")).to_be_focused()
    page.keyboard.press("Home")
    expect(row(page, "/")).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#filter")).to_be_focused()
    page.keyboard.type("reader-1")
    expect(page.locator("#tree-count")).to_contain_text("1 of")
    page.locator("#filter").fill("")
    page.keyboard.press("Tab")
    page.keyboard.press("?")
    expect(page.locator("#help")).not_to_be_visible()
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).not_to_be_visible()
    row(page, "/library/reader-1").focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("reader-1")


VIEWS = {
    "tree": "[role=treeitem]",
    "events": ".fact",
    "people": ".request",
    "dead": ".letter",
    "nodes": ".card",
    "actor/kitchen/oven": ".why li",
}


LINKED = """async () => {
  const states = ["UP", "SUSPECT", "RECONNECTING", "DOWN"];
  const nodes = states.map((state) => ({ name: "b-" + state, state, since: 1e9, heard: 1e9, reason: "<b>" }));
  (await import("/static/store.js")).take({ type: "nodes", nodes });
}"""
"""As the live connection tells it."""


def faults_of(page: Page) -> list[str]:
    """What the checker calls serious or critical."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]} ({one['nodes'][0]['failureSummary'][:200]})"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def check_views(browser: Browser, url: str, *, dark: bool, phone: bool) -> list[str]:
    """Every view."""
    faults: list[str] = []
    with page_at(browser, url, dark=dark, phone=phone, bypass_csp=True) as page:
        page.wait_for_selector("[role=treeitem]")
        page.evaluate(LINKED)
        for view, wanted in VIEWS.items():
            show(page, view, wanted)
            if view == "people":
                first = page.locator(".question").first
                expect(first).to_have_css("direction", "rtl")
                expect(first).to_have_attribute("tabindex", "0")
            faults += [f"{view} ({'dark' if dark else 'light'}): {fault}" for fault in faults_of(page)]
        if not phone:
            page.keyboard.press("?")
            faults += [f"help: {fault}" for fault in faults_of(page)]
    return faults


async def test_a_checker_of_accessibility_finds_no_serious_fault() -> None:
    """On every view, in light and in dark, wide and narrow, and in the form for the token."""
    async with scene(rich=True, token="secret") as here:
        here.ask("approval", "למחוק? " + "very long " * 200, timeout=600.0, priority=9)

        def drive() -> list[str]:
            faults: list[str] = []
            with chromium() as browser:
                with page_at(browser, here.observatory.url, bypass_csp=True) as page:
                    expect(page.get_by_label("Token")).to_be_focused()
                    faults += faults_of(page)
                    page.get_by_label("Token").fill("wrong")
                    page.keyboard.press("Enter")
                    expect(page.get_by_role("alert")).to_contain_text("not a token")
                    faults += faults_of(page)
                    page.get_by_label("Token").fill("secret")
                    page.keyboard.press("Enter")
                    page.wait_for_selector("[role=treeitem]")
                url = f"{here.observatory.url}/?token=secret"
                faults += check_views(browser, url, dark=False, phone=False)
                faults += check_views(browser, url, dark=True, phone=True)
            return faults

        assert await driven(drive) == []
