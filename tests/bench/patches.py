"""The list in Chromium while rows are pushed to it: how long the page is busy, and whether hands are left alone."""

import json
import os
import shutil
import time

from run import Client, ROWS, row, say
from streams import RATE, Sender

WATCH = """
window.bench = { tasks: [], patches: 0, changed: 0 };
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) window.bench.tasks.push(Math.round(task.duration));
}).observe({ type: "longtask" });
new MutationObserver((changes) => {
  window.bench.patches += 1;
  window.bench.changed += changes.length;
}).observe(document.getElementById("rows"), { childList: true, subtree: true });
"""

# A box is ticked, the menu is open, a link in a row has the focus, and the page is scrolled.
HANDS = """
scrollTo(0, 400);
const rows = [...document.querySelectorAll("#rows > tr")].filter((row) => row.getBoundingClientRect().top > 150);
rows[2].querySelector("input[name=pk]").click();
document.getElementById("view-menu").open = true;
rows[5].querySelector(".c-description a").focus({ preventScroll: true });
window.hands = { ticked: rows[2].dataset.pk, focused: rows[5].dataset.pk, top: rows[5].getBoundingClientRect().top };
return [rows[2].dataset.pk, rows[5].dataset.pk];
"""

AFTER = """
const { ticked, focused, top } = window.hands;
const row = document.getElementById(`i${focused}`);
return {
  "the box": document.querySelector(`#i${ticked} input[name=pk]`)?.checked === true,
  "the menu": document.getElementById("view-menu").open,
  "the focus": document.activeElement === row?.querySelector(".c-description a"),
  "the place on the screen": row != null && Math.abs(row.getBoundingClientRect().top - top) < 2,
};
"""


def open_browser():
    try:
        from selenium import webdriver
    except ImportError:
        return None
    chrome, driver = (os.environ.get(name) or shutil.which(other)
                      for name, other in (("CHROME", "chromium"), ("CHROMEDRIVER", "chromedriver")))
    if not chrome or not driver:
        return None
    options = webdriver.ChromeOptions()
    options.binary_location = chrome
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,900"):
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


def busy(browser):
    """Seconds that the page's thread worked so far, and those of them for scripts and for layout."""
    metrics = {one["name"]: one["value"] for one in browser.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]}
    return [metrics[name] for name in ("TaskDuration", "ScriptDuration", "LayoutDuration")]


class Changes:
    """Beside two of five new incidents, one that is on the page changes."""

    def __init__(self, server, token, keys):
        self.client, self.keys = Client(server, token), keys

    def __call__(self, n):
        if n % 5 < 2 and self.keys:
            key = self.keys[n // 2 % len(self.keys)]
            change = {"ticket_url": f"https://tickets.example.org/{n}", "description": f"It changed {n} times", "level": n % 5 + 1}
            self.client.connection.request("PATCH", f"/api/v2/incidents/{key}/", json.dumps(change),
                                           {**self.client.headers, "Content-Type": "application/json"})
            response = self.client.connection.getresponse()
            body = response.read()
            if response.status != 200:
                raise SystemExit(f"{response.status} {body[:200]!r}")


def load(browser, server, token, writer, seconds, keys):
    browser.execute_script("Object.assign(window.bench, { tasks: [], patches: 0, changed: 0 })")
    before = busy(browser)
    sender = Sender(server, writer, seconds, Changes(server, token, keys))
    sender.start()
    sender.join()
    time.sleep(1)
    if sender.sent is None:
        raise SystemExit("the sender failed")
    parts = [(after - before) / seconds * 100 for after, before in zip(busy(browser), before)]
    return browser.execute_script("return window.bench"), parts


def measure(server, token, writer, password, seconds):
    browser = open_browser()
    if browser is None:
        say("no browser: Selenium, Chromium or ChromeDriver is missing")
        return
    try:
        browser.get(f"http://{server.host}:{server.port}/accounts/login/?next=/incidents/?open=true")
        for name, value in (("username", "admin"), ("password", password)):
            browser.find_element("name", name).send_keys(value)
        browser.find_element("css selector", "form button.primary").click()
        deadline = time.monotonic() + 20
        while "on" not in browser.execute_script("return document.querySelector('[data-live-state]')?.className ?? ''").split():
            if time.monotonic() > deadline:
                raise SystemExit("the list did not get live")
            time.sleep(0.1)
        browser.execute_cdp_cmd("Performance.enable", {})
        browser.execute_script(WATCH)
        on_page = "return [...document.querySelectorAll('#rows > tr')].map((row) => row.dataset.pk)"
        longest, found = [], []

        keys = browser.execute_script(on_page)
        outcome, parts = load(browser, server, token, writer, seconds, keys)
        found.append(("nobody touches it: new rows come in on top", outcome, parts))

        ticked, focused = browser.execute_script(HANDS)
        keys = [ticked, focused, *browser.execute_script(on_page)[:40]]
        outcome, parts = load(browser, server, token, writer, seconds, keys)
        found.append(("in somebody's hands: rows change, new ones wait", outcome, parts))
        kept = browser.execute_script(AFTER)

        for what, outcome, parts in found:
            longest = max(outcome["tasks"], default=0)
            ROWS.append((f"live list of 100 rows in Chromium, {RATE} new and {RATE * 2 // 5} changed incidents/s for {seconds} s, "
                         f"{what}: long tasks over 50 ms", "none",
                         f"{len(outcome['tasks'])}" + (f", the longest {longest} ms" if longest else "")))
            say(f"{what}: {outcome}")
            ROWS.append(("… patches of the page, and how busy they keep its thread", "",
                         f"{outcome['patches']}, {parts[0]:.1f} % (scripts {parts[1]:.1f} %, layout {parts[2]:.1f} %)"))
        lost = [name for name, is_kept in kept.items() if not is_kept]
        ROWS.append(("… survive: " + ", ".join(kept), "all", "lost: " + ", ".join(lost) if lost else "all"))
    finally:
        browser.quit()
