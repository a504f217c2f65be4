"""The pages in a real browser: light and dark, desktop and phone, with hostile servers on show."""

from collections.abc import Iterator

import chromium
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from test_exporter_process import allowing, exporter, get, ssh_server

DESKTOP = (1280, 800)
PHONE = (360, 640)

HOSTILE = (
    b"SSH-2.0-<script>document.title='owned'</script>\"'><img/src=x/onerror=document.title='owned'>"
    b"\xe2\x80\xae\x1b[31m<b>" + b"x" * 120 + b"\r\n"
)

pytestmark = [pytest.mark.real_time, chromium.needed]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An exporter that has probed a silent server, a hostile one, and a closed port."""
    folder = tmp_path_factory.mktemp("exporter")
    with ssh_server(b"") as silent, ssh_server(HOSTILE) as hostile:
        config = f"modules.ssh.limit_s = 1\n{allowing(silent)}\n{allowing(hostile)}\n{allowing(1)}"
        with exporter(folder, config) as (address, _):
            for port in (silent, hostile, 1):
                get(f"{address}/probe?target=127.0.0.1:{port}")
            yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield chromium.launch(playwright)


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that fails the test if anything in it complains, or is asked of another server."""
    width, height = request.param
    troubles: list[str] = []
    context = browser.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(10_000)
    opened = context.new_page()
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("console", lambda message: troubles.append(message.text))
    yield opened
    context.close()
    assert [text for text in troubles if "favicon" not in text] == []


def fits(page: Page) -> bool:
    """Whether nobody has to scroll sideways."""
    found: bool = page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    return found


def test_recent_probes_are_shown_by_verdict_and_lead_to_their_pages(page: Page, url: str) -> None:
    page.goto(url)
    assert page.title() == "sshprobe exporter"
    assert page.locator(".probes > li").count() == 3
    assert page.locator("svg.waterfall").count() == 3
    assert fits(page)
    page.get_by_role("link", name="silent").click()
    assert page.locator(".probes > li").count() == 1
    page.get_by_role("link", name="127.0.0.1").click()
    assert "TCP is up and not one octet came" in page.locator(".sentence").inner_text()
    assert "Transcript" in page.locator("pre").inner_text()
    assert page.locator("svg.waterfall .expired").count() == 1
    assert fits(page)


def test_what_a_hostile_server_says_is_shown_and_never_obeyed(page: Page, url: str) -> None:
    page.goto(url)
    said = page.locator(".said", has_text="<script>")
    assert "document.title='owned'</script>\"'><img/src=x" in said.inner_text()
    assert r"\u202e\x1b[31m<b>" in said.inner_text()
    assert fits(page)
    page.get_by_role("link", name="kexinit-stalled").click()
    page.get_by_role("link", name="127.0.0.1").click()
    assert "owned" not in page.title()
    assert page.locator("main img, main script, main b").count() == 0
    assert fits(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_light_or_dark_as_the_reader_likes_it(page: Page, url: str, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(url)
    lightness = {
        what: sum(
            int(part)
            for part in page.evaluate(
                f"getComputedStyle(document.body).{what}.match(/\\d+/g).slice(0, 3)"
            )
        )
        for what in ("color", "backgroundColor")
    }
    assert (lightness["color"] < lightness["backgroundColor"]) is (scheme == "light")
    assert abs(lightness["color"] - lightness["backgroundColor"]) > 500


def test_it_needs_no_scripts_and_no_style(browser: Browser, url: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.route("**/style.css", lambda route: route.abort())
    page.goto(url)
    assert page.get_by_role("listitem").filter(has_text="127.0.0.1").count() == 3
    context.close()
