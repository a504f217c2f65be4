"""The page shows a run's results in a browser, asks nothing of anybody, and runs nobody's text."""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import chromium
import pytest
from conform_samples import HOSTILE, MIXED, TALK, run_of, runs, unhurried, with_hostile_texts
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from probe.catalogue.row import Level
from probe.conform.case import Kind, Right
from probe.conform.judge import Result
from probe.conform.page import to_html
from probe.conform.words import clean, count
from probe.text import dump
from probe.version import VERSION

TWO = [run_of(MIXED), run_of({"silent": MIXED["closes-at-once"]}, "other 2.0", complete=False)]

PATIENCE_MS = 5000

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens results from a file, and holds at the end that nothing went wrong and nothing left."""
    file = tmp_path / "page.html"
    said: list[str] = []
    requests: list[str] = []
    contexts = []

    def open_it(results: list[dict[str, Any]], fragment: str = "", **options: Any) -> Page:  # noqa: ANN401
        file.write_text(to_html(results), encoding="utf-8")
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: requests.append(request.url.partition("#")[0]))
        page.goto(file.as_uri() + fragment)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert said == []
    assert set(requests) == {file.as_uri()}


def cell(page: Page, name: str, client: str = "ssh-1-0") -> Locator:
    return page.locator(f'.cell[href="#{client}/{name}"]')


def shown(page: Page) -> list[str]:
    return page.locator("tr[data-place]:visible .case span:last-child").all_inner_texts()


# In a browser. -----------------------------------------------------------------------------------


@chromium.needed
def test_counts_are_those_of_the_cases(open_page: Open) -> None:
    page = open_page(TWO)
    rows = page.locator("#summary tbody tr")
    assert [row.locator(".number").all_inner_texts() for row in rows.all()] == [
        [str(number) for number in count(members).values()] for members in TWO
    ]
    assert rows.locator("th").all_inner_texts() == ["ssh 1.0", "other 2.0 (incomplete)"]
    assert page.locator("#origin").inner_text() == (
        f"2026-01-02 03:04:05 UTC · sshprobe {VERSION} · 8 cases · 2 clients"
    )
    page.get_by_text("How each client was run").click()
    assert "did not come to its end: it has 1 case." in page.locator("#clients").inner_text()
    assert page.title() == "ssh 1.0, other 2.0: sshprobe conform"


@chromium.needed
def test_matrix_says_every_result_in_words(open_page: Open) -> None:
    page = open_page(TWO)
    assert {
        case["name"]: cell(page, case["name"]).inner_text().split("\n")[0][1:]
        for case in TWO[0]["cases"]
    } == {
        "closes-at-once": "passed",
        "silent": "hung",
        "garbage": "late",
        "http": "wrong",
        "tls": "crashed",
        "smtp": "leaked",
        "max-startups-then-closes": "wrong (SHOULD)",
        "no-common-kex": "wrong (informational)",
    }
    assert cell(page, "silent").locator(".seconds").inner_text() == "9.00 s"
    assert page.locator("td.absent").all_inner_texts() == ["not run"] * 7
    assert page.locator(".layer th").all_inner_texts() == [
        "C connection",
        "I identification",
        "K KEXINIT",
    ]


@chromium.needed
def test_cell_opens_what_is_known_of_the_case(open_page: Open) -> None:
    page = open_page(TWO)
    case = next(case for case in TWO[0]["cases"] if case["name"] == "garbage")
    cell(page, "garbage").click()
    details = page.get_by_role("dialog", name="garbage")
    text = details.inner_text()
    for member in ("why", "requirement", "differs", "section"):
        assert case[member] in text
    assert "It said\nfailure\nExit status\n255" in text
    assert details.locator(".timeline tbody tr").all_inner_texts() == [
        "started\t\N{MINUS SIGN}0.100 s\t",
        "its time began\t0.000 s\t",
        "connected\t0.000 s\t",
        "last octet from the server\t0.200 s\t",
        "limit\t3.000 s\t",
        "ended\t5.000 s\t",
        "hard limit\t9.000 s\t",
    ]
    page.keyboard.press("Escape")
    expect(details).to_be_hidden()
    expect(cell(page, "garbage")).to_be_focused()
    assert "#" not in page.url


@chromium.needed
def test_transcript_has_both_sides(open_page: Open) -> None:
    page = open_page([run_of(MIXED)], "#ssh-1-0/silent")
    expect(page.locator(".passage pre").last).not_to_be_empty()
    texts = page.locator(".passage").all_inner_texts()
    assert [text.replace("\n\n", "\n") for text in texts[:3]] == [
        "\n".join(["0.000 s: the client sent 11 octets", *dump(TALK.transcript[0].octets, 9)]),
        "\n".join(
            [
                "0.100 s: the server sent 300 octets",
                *dump(TALK.transcript[1].octets, 9),
                "260 octets more are not kept.",
            ]
        ),
        "\n".join(
            [
                "100 octets of the server\N{RIGHT SINGLE QUOTATION MARK}s before it are not kept.",
                "0.200 s: the server sent 11 octets",
                *dump(TALK.transcript[2].octets, 9, 400),
            ]
        ),
    ]
    assert page.locator(".passage").count() == 6
    assert page.get_by_text("Connection 2").is_visible()


FILTERS: dict[str, tuple[Callable[[Page], object], int]] = {
    "failures": (lambda page: page.get_by_label("Only failures").check(), 7),
    "level": (lambda page: page.get_by_label("Level").select_option("SHOULD"), 1),
    "text": (lambda page: page.get_by_label("Text").fill("  SILENT c01 "), 1),
    "text that nothing has": (lambda page: page.get_by_label("Text").fill("zzz"), 0),
}


@chromium.needed
def test_filters(open_page: Open) -> None:
    page = open_page(TWO)
    assert len(shown(page)) == 8
    for use, left in FILTERS.values():
        page.locator("form").evaluate("form => form.reset()")
        use(page)
        expect(page.locator("#shown")).to_have_text(f"{left} of 8 cases")
        assert len(shown(page)) == left
        assert page.locator(".layer:visible").count() <= left


@chromium.needed
def test_deep_link_and_ways_from_a_case_to_others(open_page: Open) -> None:
    page = open_page(TWO, "#other-2-0/silent")
    expect(page.get_by_role("dialog", name="silent")).to_contain_text("other 2.0")
    assert page.get_by_role("link", name="next").count() == 0  # it ran one case alone
    page.get_by_role("link", name="ssh 1.0").click()
    expect(page.locator("dialog .why")).to_have_text(TWO[0]["cases"][0]["why"])
    page.get_by_role("link", name="next").press("Enter")
    expect(page.locator("#details-title")).to_have_text("C04 closes-at-once")
    expect(page.get_by_role("link", name="next")).to_be_focused()
    page.go_back()
    expect(page.locator("#details-title")).to_have_text("C01 silent")
    page.get_by_role("button", name="Close").click()
    expect(page.locator("dialog")).to_be_hidden()
    expect(cell(page, "silent")).to_be_focused()


@chromium.needed
def test_link_to_nothing_opens_nothing(open_page: Open) -> None:
    page = open_page(TWO, "#a/%ff")
    expect(page.locator("dialog")).to_be_hidden()
    for fragment in ("#ssh-1-0/silent", "#ssh-1-0", "#ssh-1-0/none", "#/silent"):
        page.evaluate("fragment => { location.hash = fragment }", fragment)
        expect(page.locator("dialog")).to_be_visible(visible=fragment == "#ssh-1-0/silent")


@chromium.needed
def test_keyboard_is_enough(open_page: Open) -> None:
    page = open_page(TWO)
    page.get_by_label("Text").focus()
    page.keyboard.press("Tab")  # the box
    page.keyboard.press("Tab")
    expect(cell(page, "silent")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(cell(page, "silent", "other-2-0")).to_be_focused()
    page.keyboard.press("ArrowDown")  # nothing else ran
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    expect(cell(page, "closes-at-once")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="closes-at-once")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page).not_to_have_url(re.compile("#"))
    page.keyboard.press("ArrowUp")
    expect(cell(page, "silent")).to_be_focused()


@chromium.needed
def test_hostile_texts_are_shown_and_run_nothing(open_page: Open) -> None:
    page = open_page([with_hostile_texts(run_of(MIXED, HOSTILE))])
    page.get_by_text("How each client was run").click()
    page.locator(".cell").first.click()
    expect(page.locator(".passage pre").last).not_to_be_empty()
    text = str(page.evaluate("document.body.innerText"))
    assert all(character.isprintable() or character in "\n\t" for character in text)
    assert page.evaluate("typeof ran") == "undefined"
    assert page.locator("img").count() == 0
    for place in (".summary th", "#details-title", ".why", ".facts dd", ".facts code", ".output"):
        assert clean(HOSTILE.rstrip("\r")) in " ".join(page.locator(place).all_inner_texts())
    assert page.title().startswith(clean(HOSTILE))


@chromium.needed
def test_policy_forbids_what_the_page_does_not_have(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(to_html(TWO), encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    forbidden = page.evaluate(
        """async () => {
          const directives = [];
          addEventListener("securitypolicyviolation", (event) =>
            directives.push(event.effectiveDirective));
          const add = (name, attributes) =>
            document.body.append(Object.assign(document.createElement(name), attributes));
          add("script", {textContent: "ran = 1"});
          add("style", {textContent: "body { display: none }"});
          add("img", {src: "data:,"});
          await fetch("data:,").catch(() => {});
          await new Promise((done) => setTimeout(done, 50));
          return [typeof ran, directives.sort()];
        }"""
    )
    page.close()
    assert forbidden == [
        "undefined",
        ["connect-src", "img-src", "script-src-elem", "style-src-elem"],
    ]


@chromium.needed
@pytest.mark.parametrize("fragment", ["", "#ssh-1-0/silent"])
def test_nothing_is_wider_than_a_phone(open_page: Open, fragment: str) -> None:
    long = run_of(MIXED, "a client of a very long name " + "x" * 80)
    page = open_page([long, *TWO], fragment, viewport={"width": 360, "height": 640})
    widths = "[document.documentElement.scrollWidth, document.querySelector('dialog').scrollWidth]"
    assert max(page.evaluate(widths)) <= 360
    box = page.locator(".matrix")
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    box.evaluate("box => box.scrollTo(500, 0)")
    assert (
        page.locator("tr[data-place] th").first.evaluate("head => head.getBoundingClientRect().x")
        < 20
    )


CONTRASTS = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = parse(color).map((part) => part / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const color = getComputedStyle(node).backgroundColor;
      if ((parse(color)[3] ?? 1) === 1) return color;
    }
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !node.checkVisibility()) continue;
    const both = [light(getComputedStyle(node).color), light(behind(node))];
    const [low, high] = both.sort((a, b) => a - b);
    found.push([(high + 0.05) / (low + 0.05), texts.currentNode.data.trim().slice(0, 40)]);
  }
  return found;
}"""


@chromium.needed
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast(open_page: Open, scheme: str) -> None:
    page = open_page(TWO, "#ssh-1-0/garbage", color_scheme=scheme)
    page.locator("#run").evaluate("details => { details.open = true }")
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 100
    assert [one for one in contrasts if one[0] < 4.5] == []
    is_dark = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (is_dark == "rgb(21, 23, 26)") == (scheme == "dark")


# Without one. ------------------------------------------------------------------------------------


def text_of(html: str, element: str) -> str:
    (text,) = re.findall(f"<{element}>(.*?)</{element.partition(' ')[0]}>", html, flags=re.DOTALL)
    return str(text)


def data_of(html: str) -> str:
    return text_of(html, 'script type="application/json" id="results"')


def strings(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from strings(inner)
        case list():
            for inner in value:
                yield from strings(inner)


@unhurried
@given(st.lists(runs, max_size=3))
def test_data_holds_nothing_that_html_or_an_eye_could_misread(
    results: list[dict[str, Any]],
) -> None:
    data = data_of(to_html(list(map(with_hostile_texts, results))))
    assert data.isascii()
    assert not set(data) & set("<>&\0\n")
    assert all(text.isprintable() for text in strings(json.loads(data)))


def test_policy_has_the_hashes_of_script_and_style() -> None:
    html = to_html(TWO)
    policy = str(re.findall('Content-Security-Policy" content="(.*?)"', html)[0])
    hashes = {
        element: "sha256-" + b64encode(sha256(text_of(html, element).encode()).digest()).decode()
        for element in ("script", "style")
    }
    assert policy == (
        f"default-src 'none'; script-src '{hashes['script']}'; style-src '{hashes['style']}';"
        " base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"\b(?:src|href)=[\"'](?!#)", html)


def test_script_knows_all_words_that_the_results_have() -> None:
    script = text_of(to_html(TWO), "script")
    words = [f"  {word}: " for word in (*Result, *Kind)] + [f'  "{word}": ' for word in Right]
    assert [word for word in words if word not in script] == []
    html = to_html(TWO)
    assert all(f"<option>{level}</option>" in html for level in Level)


def test_equal_octets_are_in_the_page_once() -> None:
    once, twice = (json.loads(data_of(to_html(results))) for results in (TWO[:1], TWO))
    assert once["octets"] == twice["octets"]
    assert len(b64decode(once["octets"])) < 100


def test_cases_of_all_clients_are_in_the_order_of_the_catalogue() -> None:
    one, other = run_of({"http": MIXED["http"]}), run_of({"silent": MIXED["silent"]}, "other 2.0")
    data = json.loads(data_of(to_html([one, other])))
    assert [case["name"] for case in data["cases"]] == ["silent", "http"]
    assert [[run is None for run in client["runs"]] for client in data["clients"]] == [
        [True, False],
        [False, True],
    ]
