"""A demo cloud with simulated hosts, Debian's Chromium, and what every page must keep: no violation of its policy, no
other server asked, light enough.
"""

import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.clouds import Cloud

HERE = Path(__file__).resolve().parent
SHOTS = HERE.parents[1] / "build" / "screens"
SIZES = {"wide": {"width": 1440, "height": 900}, "narrow": {"width": 390, "height": 844}}
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = (HERE / "vendor" / "axe.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
HEAVY, MANY = 250_000, 20  # bytes on the wire and requests of a first load
# A status that a test asked for; a request that was under way when one left the page.
HARMLESS = ("Failed to load resource: the server responded", "htmx:afterRequest", "htmx:sendError", "htmx:sendAbort")


@pytest.fixture(scope="session")
def cloud(tmp_path_factory):
    """Shared by all: what a test changes it makes for itself. PORTAL names a cloud that runs already."""
    if running := os.environ.get("PORTAL"):
        (made := Cloud(Path(running))).port = None
        yield made
        return
    folder = tmp_path_factory.mktemp("cloud")
    made = Cloud(folder).up(patience=240)
    assert made.endpoint.exists(), made.said
    yield made
    made.down()


@pytest.fixture(scope="session")
def base(cloud):
    return cloud.told()["url"]


@pytest.fixture(scope="session")
def chromium():
    path = shutil.which("chromium") or "/usr/bin/chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def why(node):
    checks = node["any"] or node["all"] or node["none"]
    return checks[0]["message"] if checks else ""


class Person:
    """Somebody with a browser: what the console says and what is asked of other servers is kept."""

    def __init__(self, chromium, base, *, size="wide", theme="light", script=True, language="en"):
        self.base, self.size, self.theme = base, size, theme
        self.context = chromium.new_context(
            viewport=SIZES[size],
            color_scheme=theme,
            reduced_motion="reduce",
            java_script_enabled=script,
            locale=language,
            timezone_id="UTC",
        )
        self.context.add_cookies([{"name": "theme", "value": theme, "url": base}])
        self.context.add_cookies([{"name": "language", "value": language, "url": base}])
        self.page = self.context.new_page()
        self.said, self.asked = [], []
        self.page.on("console", lambda m: self.said.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request))

    def go(self, path):
        self.asked.clear()
        return self.page.goto(self.base + path, wait_until="load")

    def log_in(self, name="lab", domain="acme/lab", password="password"):  # noqa: S107 - the demo's
        self.go("/login")
        self.page.fill("#username", name)
        self.page.fill("#password", password)
        self.page.fill("#domain", domain)
        self.page.click("main button")
        self.page.wait_for_selector("#main.main")
        return self

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).first.click()
        self.page.wait_for_load_state()

    @property
    def path(self):
        return self.page.url.removeprefix(self.base)

    def text(self, selector="main"):
        return self.page.inner_text(selector)

    def close(self):
        self.context.close()

    # what holds for every page

    def violations(self, rules=None):
        """Of accessibility, in words."""
        if not self.page.evaluate("!!window.axe"):
            self.page.evaluate(AXE)
        options = {"runOnly": rules or RULES, "resultTypes": ["violations"]}
        found = self.page.evaluate("options => axe.run(options)", options)["violations"]
        return [f"{each['id']} {node['target']}: {why(node)}" for each in found for node in each["nodes"][:3]]

    def dress(self, size, theme):
        """The same page on another screen: what a load with them would show, without loading it."""
        self.size, self.theme = size, theme
        self.page.set_viewport_size(SIZES[size])
        self.page.evaluate("theme => document.documentElement.dataset.bsTheme = theme", theme)

    def too_wide(self):
        return self.page.evaluate("document.documentElement.scrollWidth - innerWidth")

    def cut(self):
        """Texts of buttons, tabs and heads that do not fit where they stand."""
        return self.page.evaluate(
            """() => [...document.querySelectorAll('main :is(h1, h2, .btn, th, .state, .tag)')]
            .filter(e => e.offsetParent && e.scrollWidth > e.clientWidth + 1)
            .filter(e => getComputedStyle(e).overflow !== 'visible')
            .map(e => e.textContent.trim().slice(0, 40))"""
        )

    def broken(self):
        """Words of labels that go on in the next line."""
        return self.page.evaluate(
            """() => [...document.querySelectorAll('main :is(.use > span:first-child, h2, th, dt, .btn)')]
            .filter(e => e.offsetParent && e.firstChild && e.firstChild.nodeType === 3)
            .flatMap(e => [...e.firstChild.data.matchAll(/[\\p{L}]+/gu)].filter(word => {
                const range = document.createRange();
                range.setStart(e.firstChild, word.index);
                range.setEnd(e.firstChild, word.index + word[0].length);
                return new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1;
            }).map(word => word[0]))"""
        )

    def shot(self, name):
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.evaluate("document.fonts.ready")
        path = SHOTS / f"{name}-{self.size}-{self.theme}.jpg"
        self.page.screenshot(path=path, full_page=True, type="jpeg", quality=85)
        return path


@pytest.fixture
def person(chromium, base):
    """``person(script=False)``: a new browser each, closed after the test; it must have kept to the rules."""
    made = []

    def new(**how):
        made.append(Person(chromium, base, **how))
        return made[-1]

    yield new
    for each in made:
        wrong = [text for text in each.said if not text.startswith(HARMLESS)]
        foreign = [request.url for request in each.asked if not request.url.startswith((base, "data:", "blob:"))]
        each.close()
        assert wrong == []
        assert foreign == []


@pytest.fixture(scope="session")
def api(cloud):
    """The API, as the demo's tenant: to look at what a page has done, by other means than pages."""
    return client(cloud, "lab")


@pytest.fixture(scope="session")
def root_api(cloud):
    return client(cloud, "admin")


def client(cloud, name):
    from cs import CloudStack

    told = cloud.told()
    user = next(user for user in told["users"] if user["username"] == name)
    return CloudStack(endpoint=told["api"], key=user["apikey"], secret=user["secretkey"], timeout=30, poll_interval=0.2)
