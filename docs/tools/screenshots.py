"""Write the pictures of the observatory: `python docs/tools/screenshots.py`. Needs chromium, and extra `dev`.

The scene and the driving are those of the tests of the page, so that the pictures show what is tested.
"""

from __future__ import annotations

import pathlib
import sys
import types

import trio
from playwright.sync_api import Page

ROOT = pathlib.Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
sys.path.insert(0, str(ROOT))

from tests.observe.web.browser import chromium, driven, page_at, show  # noqa: E402

SCENE = ROOT / "tests" / "observe" / "web" / "scene.py"

PICTURES = [
    # (file, view, what is waited for, dark, phone)
    ("tree", "tree", '[data-path="/library/reader-1"] .limit[data-on]', False, False),
    ("requests", "people", ".request:nth-child(4)", False, False),
    ("why", "actor/kitchen/oven", ".why li:nth-child(3)", True, False),
    ("phone", "tree", '[data-path="/library/reader-1"]', True, True),
]


def take(page: Page, name: str) -> None:
    """One picture, as small as it can be without a loss that is seen."""
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(300)
    page.screenshot(path=IMAGES / f"observatory-{name}.png", animations="disabled")


def drive(url: str) -> None:
    """All of them."""
    with chromium() as browser:
        for name, view, wanted, dark, phone in PICTURES:
            with page_at(browser, url, dark=dark, phone=phone) as page:
                page.wait_for_selector("[role=treeitem]")
                show(page, view, wanted)
                take(page, name)


def tearoom() -> types.ModuleType:
    """The scene under another name: what fails in it is shown with its file."""
    made = sys.modules["tearoom"] = types.ModuleType("tearoom")
    exec(compile(SCENE.read_text(), "tearoom.py", "exec"), made.__dict__)
    return made


async def main() -> None:
    """The scene, and its pictures."""
    async with tearoom().scene(rich=True) as here:
        await driven(drive, here.observatory.url)
    for file in sorted(IMAGES.glob("observatory-*.png")):
        print(f"{file.relative_to(ROOT)}: {file.stat().st_size // 1024} KB")


if __name__ == "__main__":
    trio.run(main)
