"""This system's Chromium without a window, driven by Playwright, which brings no browser of its own here."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import Page

PROGRAMS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
# The web UI takes the system's fonts, and a bare system has none that reads well.
FONTS = """
body, button, input, h1, h2, h3, svg text {
  font-family: Inter, "Helvetica Neue", "Liberation Sans", sans-serif !important }
pre, code, .font-mono, .cm-content, .cm-content * {
  font-family: "JetBrains Mono", "DejaVu Sans Mono", Menlo, monospace !important }
"""


class NoBrowser(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Browser:
    """One that runs. Its pictures are PNG files."""

    chromium: Chromium

    def picture_of_html(self, page: str) -> bytes:
        """All of a page that is as large as what it holds, on a transparent ground."""
        with self._page(width=1200, height=800, scale=1.6) as shown:
            shown.set_content(page)
            return shown.locator("body").screenshot(omit_background=True)

    def picture_of_run(self, url: str, *, steps: Sequence[str]) -> tuple[bytes, str]:
        """The timeline of a run in Temporal's web UI once it shows `steps`, and the text of the page."""
        with self._page(width=1500, height=930, scale=1.4) as shown:
            shown.goto(url)
            shown.add_style_tag(content=FONTS)
            shown.get_by_role("button", name="Descending").click()
            shown.get_by_role("button", name="Show idle time").click()
            for step in steps:
                shown.get_by_text(f"{step} •").first.wait_for()
            shown.get_by_role("button", name="Hide idle time").wait_for()
            shown.mouse.move(1499, 0)  # away from what would light up
            shown.wait_for_load_state("networkidle")
            return shown.screenshot(animations="disabled"), shown.locator("body").inner_text()

    @contextmanager
    def _page(self, *, width: int, height: int, scale: float) -> Iterator[Page]:
        context = self.chromium.new_context(
            viewport={"width": width, "height": height},
            device_scale_factor=scale,
            color_scheme="dark",
            reduced_motion="reduce",
            locale="en-GB",
            timezone_id="UTC",
        )
        with context:
            yield context.new_page()


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Raises NoBrowser where none is installed."""
    program = _find()
    # Chromium refuses its sandbox to root.
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=program, chromium_sandbox=os.geteuid() != 0, args=list(QUIET)
        ) as chromium,
    ):
        yield Browser(chromium)


def _find() -> str:
    named = os.environ.get("CHROMIUM")
    for program in [named] if named else PROGRAMS:
        if found := shutil.which(program):
            return found
    if named:
        raise NoBrowser(f"CHROMIUM names {named!r}, which is no program. Give the path of Chromium or Chrome.")
    raise NoBrowser(
        "There is no Chromium. Install it (Debian: apt install chromium; macOS: brew install --cask chromium), "
        "or name one: make pictures CHROMIUM=/path/to/chrome."
    )
