"""The pages in a real browser: headless Chromium, as `apt-get install chromium` brings it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, ViewportSize, sync_playwright

from s2robot.evaluation.evaluation import evaluate
from s2robot.evaluation.overview import write_overview
from s2robot.evaluation.report import write_report
from tests.evaluation.written_runs import write_run
from tests.rollouts.test_looking import LookingActor
from tests.rollouts.tiny_actor import TinyActor
from tests.rollouts.tiny_env import LAZY

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium here (Debian: apt-get install chromium)"
)
DESKTOP, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=390, height=844)
EVIL = "</script><img src=x onerror=window.pwned=1><script>window.pwned=1</script>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # without its sandbox, which needs rights that containers do not give; the pages are our own
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs, the first with videos, the last with names that would run a script."""
    folder = tmp_path_factory.mktemp("sweep")
    write_run(folder / "filmed", policy={"name": "bc", "head": "mean"}, seed=0)
    evaluate(TinyActor(), LAZY, {}, [1, 2, 3], folder / "filmed" / "eval" / "default", videos=2, workers=1)
    for seed, successes in ((1, 9), (2, 4)):
        outcomes = {start: start < successes for start in range(10)}
        write_run(folder / f"run {seed}", outcomes, policy={"name": EVIL, "head": "mean"}, seed=seed)
    (folder / "run 2" / "metrics.jsonl").write_text(json.dumps({"step": 1, EVIL: 2.0}) + "\n")
    (folder / "run 2" / "run.json").write_text(json.dumps({"command": EVIL, "commit": EVIL}))
    write_overview([folder])
    return folder


# Chromium stops loading a video of which it has enough, or whose page is left
ABORTED = "net::ERR_ABORTED"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that must neither complain nor ask for anything but files."""
    wrong = list[str]()
    page = browser.new_page(viewport=DESKTOP)
    page.set_default_timeout(120_000)  # of a machine that does much else
    page.on("console", lambda message: wrong.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))

    def failed(request: Request) -> None:
        if request.failure != ABORTED:
            wrong.append(f"failed: {request.url} {request.failure}")

    page.on("requestfailed", failed)

    def note(request: Request) -> None:
        if not request.url.startswith(("file:", "data:")):
            wrong.append(f"asked for {request.url}")

    page.on("request", note)
    yield page
    page.close()
    assert wrong == []


def test_the_leaderboard_is_sorted_and_filtered_by_mouse_and_keys(page: Page, sweep: Path) -> None:
    page.goto(f"file://{sweep}/report.html")
    names = page.locator("#runs tbody tr:visible td:first-child")
    head = page.locator("#runs th", has_text="success")

    head.get_by_role("button").click()
    rising = names.all_inner_texts()
    assert head.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")  # the button has the focus
    assert names.all_inner_texts() == rising[::-1]
    assert head.get_attribute("aria-sort") == "descending"
    rates = [
        float(text.rstrip("%")) for text in page.locator("#runs tbody td:nth-child(3)").all_inner_texts()
    ]
    assert rates == sorted(rates, reverse=True) and len(rates) == 3

    page.get_by_role("searchbox").fill("RUN 90.0")
    assert names.all_inner_texts() == ["run 1"]


def test_the_leaderboard_leads_to_a_run(page: Page, sweep: Path) -> None:
    page.goto(f"file://{sweep}/report.html")
    page.locator("#runs").get_by_role("link", name="run 1").click()
    assert page.url.endswith("run%201/report.html")
    assert page.locator(".rate").first.inner_text() == "90.0%"


@pytest.mark.parametrize("embed", [False, True])
def test_a_video_plays_and_its_controls_cover_nothing(page: Page, sweep: Path, embed: bool) -> None:
    page.goto(f"file://{write_report(sweep / 'filmed', embed=embed)}")
    film = page.locator("figure.film").first
    video, play = film.locator("video"), film.get_by_role("button")

    play.press("Space")

    page.wait_for_function("video => video.currentTime > 0.2", arg=video.element_handle())
    assert video.evaluate("video => [video.videoWidth > 0, video.error]") == [True, None]
    gap = """film => film.querySelector(".bar").getBoundingClientRect().top
        - film.querySelector("video").getBoundingClientRect().bottom"""
    assert film.evaluate(gap) >= 0 and video.get_attribute("controls") is None
    video.evaluate("video => { video.currentTime = video.duration - 0.05; }")
    page.wait_for_function("video => video.ended", arg=video.element_handle())
    assert (play.get_attribute("aria-label") or "").startswith("play episode of seed")


def test_failures_are_shown_first(page: Page, sweep: Path) -> None:
    page.goto(f"file://{write_report(sweep / 'filmed')}")
    outcomes = page.locator("figure.film figcaption span:first-child").all_inner_texts()
    assert outcomes == sorted(outcomes, key=lambda text: "success" in text) and len(outcomes) == 2


@pytest.mark.parametrize("name", ["report.html", "filmed/report.html", "run 2/report.html"])
def test_no_page_is_wider_than_a_phone(page: Page, sweep: Path, name: str) -> None:
    page.set_viewport_size(PHONE)
    page.goto(f"file://{sweep}/{name}")
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_charts_follow_the_window_and_tell_their_values_to_the_keyboard(page: Page, sweep: Path) -> None:
    page.goto(f"file://{sweep}/run 1/report.html")
    chart = page.locator(".chart").first
    widths = []
    for width in (1280, 800, 390):
        page.set_viewport_size({"width": width, "height": 800})
        widths.append(chart.locator("svg").evaluate("svg => svg.getBoundingClientRect().width"))
    assert widths[2] < widths[1] and min(widths) > 250

    chart.focus()
    page.keyboard.press("ArrowRight")
    first = chart.locator(".tip").inner_text()
    page.keyboard.press("ArrowRight")
    assert first.startswith("step 10") and "valid: 0.1" in first
    assert chart.locator(".tip").inner_text().startswith("step 20")


def test_pages_are_dark_where_the_reader_wants_it(page: Page, sweep: Path) -> None:
    page.goto(f"file://{sweep}/report.html")
    colours = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours == ["rgb(255, 255, 255)", "rgb(19, 21, 24)"]


@pytest.mark.parametrize("name", ["report.html", "run 2/report.html"])
def test_no_text_of_a_file_runs_as_a_script(page: Page, sweep: Path, name: str) -> None:
    page.goto(f"file://{sweep}/{name}")
    assert page.evaluate("window.pwned") is None
    assert "onerror=window.pwned" in page.inner_text("body")


def test_a_script_that_were_let_in_would_not_run(browser: Browser, sweep: Path, tmp_path: Path) -> None:
    text = (sweep / "report.html").read_text()
    (tmp_path / "report.html").write_text(text.replace("<h1>", f"{EVIL}<h1>", 1))
    page = browser.new_page()
    page.goto(f"file://{tmp_path}/report.html")
    assert page.evaluate("window.pwned") is None
    assert page.locator("#runs th button").count() > 0  # the page's own script does run
    page.close()


def test_charts_of_the_actions_follow_the_video_and_what_was_looked_at_is_drawn(
    page: Page, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    evaluate(LookingActor(), LAZY, {}, [1], run / "eval" / "default", videos=1, workers=1, look=True)
    page.goto(f"file://{write_report(run)}")
    film = page.locator(".film").first
    film.locator("summary").click()
    assert film.locator("path[data-name='predicted chunks']").count() == 2  # numbers of the action
    assert film.locator(".stage circle").count() == 0

    film.get_by_role("checkbox").check()
    film.get_by_role("slider").fill("500")

    film.locator(".cursor").first.wait_for(state="attached")
    assert film.locator(".stage circle").count() == 1 and film.locator(".tip").count() == 0
