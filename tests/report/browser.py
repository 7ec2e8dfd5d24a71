#!/usr/bin/env python3
"""A page of `teecee report` in headless Chromium, driven over WebDriver by nothing but the standard library.

browser.py CHECK PAGE [ARGUMENT…]      one of the functions check_… below; silent and 0 when it holds
"""
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

WAIT = 10  # seconds for anything that is waited for
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEY = {"left": "\ue012", "right": "\ue014", "enter": "\ue007"}


class Browser:
    def __init__(self, dark=False, size=(1400, 1000)):
        self.home = tempfile.mkdtemp(prefix="teecee-browser.")
        self.log = open(os.path.join(self.home, "log"), "w+", encoding="utf-8")
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=self.log, stderr=self.log)
        port = wait_for(self.port)
        self.base = f"http://127.0.0.1:{port}/session"
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                     f"--window-size={size[0]},{size[1]}", f"--user-data-dir={self.home}/profile"]
        if dark:
            arguments.append("--blink-settings=preferredColorScheme=0")
        wanted = {"browserName": "chrome", "goog:chromeOptions": {"args": arguments},
                  "goog:loggingPrefs": {"browser": "ALL"}}
        self.base += "/" + self.ask("POST", "", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def port(self):
        self.log.flush()
        with open(self.log.name, encoding="utf-8") as f:
            found = re.search(r"started successfully on port (\d+)", f.read())
        return found and int(found.group(1))

    def ask(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, method=method,
                                         data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as e:
            raise AssertionError(json.load(e)["value"]["message"].splitlines()[0]) from e

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.ask("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait(WAIT)
            self.log.close()
            shutil.rmtree(self.home, ignore_errors=True)

    def open(self, page):
        """Until the page has drawn itself: the seconds from the navigation to the second frame after that."""
        self.ask("POST", "/url", {"url": "file://" + os.path.abspath(page)})
        wait_for(lambda: self.run("return document.documentElement.dataset.ready"))
        return self.settle() / 1000

    def run(self, script, *args):
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(args)})

    def settle(self):
        """Two frames: whatever was due to be drawn is drawn. Milliseconds since the navigation began."""
        return self.ask("POST", "/execute/async", {"args": [], "script": "const done = arguments[0];"
                        "requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())))"})

    def text(self, name):
        return self.run("return document.getElementById(arguments[0]).textContent", name)

    def element(self, selector):
        return self.ask("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self.ask("POST", f"/element/{self.element(selector)}/click", {})
        self.settle()

    def keys(self, selector, keys):
        self.run("document.querySelector(arguments[0]).focus()", selector)
        actions = [{"type": kind, "value": k} for k in keys for kind in ("keyDown", "keyUp")]
        self.ask("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})
        self.settle()

    def pointer(self, *steps):
        """Steps: (x, y) to move to, "down", "up"."""
        actions = []
        for s in steps:
            if isinstance(s, str):
                actions.append({"type": "pointer" + s.capitalize(), "button": 0})
            else:
                actions.append({"type": "pointerMove", "duration": 0, "x": round(s[0]), "y": round(s[1])})
        self.ask("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": actions}]})
        self.settle()

    def place(self, selector):
        """Scrolled into the middle of the window: its box there."""
        return self.run("const e = document.querySelector(arguments[0]); e.scrollIntoView({block: 'center'});"
                        "const b = e.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]", selector)

    def shot(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.ask("GET", "/screenshot")))

    def complaints(self):
        """What the page, and not the browser's own start, made the browser complain of."""
        return [e["message"] for e in self.ask("POST", "/se/log", {"type": "browser"}) if "file:" in e["message"]]


def wait_for(what):
    end = time.monotonic() + WAIT
    while not (value := what()):
        assert time.monotonic() < end, "waited for nothing"
    return value


def same(got, wanted, what):
    assert got == wanted, f"{what}: {got!r}, not {wanted!r}"


def span(b):
    return b.run("return view.t1 - view.t0")


def drawn(b, name):
    """How many pixels of a chart are of no neighbour's colour: what is drawn at all."""
    return b.run("const c = document.getElementById(arguments[0]), d = c.getContext('2d')"
                 ".getImageData(0, 0, c.width, c.height).data; let n = 0;"
                 "for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n", name)


def check_elements(page):
    with Browser() as b:
        b.open(page)
        for name in ("sequence", "flight", "rtt", "rate"):
            assert drawn(b, "chart-" + name) > 2000, f"chart-{name} is empty"
        for name in ("summary", "connections", "facts", "range", "ladder"):
            assert b.text(name).strip(), f"{name} is empty"
        same(b.complaints(), [], "the browser's complaints")
        same(b.run("return performance.getEntriesByType('resource').length"), 0, "loaded besides the page")
        assert b.run("return document.documentElement.scrollWidth <= innerWidth"), "wider than the window"


def check_fast(page, limit):
    with Browser() as b:
        took = b.open(page)
        print(f"# figure: the page opens in {took:.2f} s", file=sys.stderr)
        assert took < float(limit), f"{took:.2f} s"


def check_losses(page, lost):
    with Browser() as b:
        b.open(page)
        same(re.sub(r"\D", "", b.text("total-lost")), lost, "total-lost")
        count = b.run("return DATA.charts.flatMap((c) => unpackMarks(c.marks)).filter((m) => has(m.bits, 'lost'))"
                      ".reduce((n, m) => n + m.count, 0)")
        same(str(count), lost, "marks")
        before = drawn(b, "chart-sequence")
        b.click("#charts [data-layer=lost]")
        same(b.run("return document.querySelector('[data-layer=lost]').ariaPressed"), "false", "the legend")
        assert drawn(b, "chart-sequence") < before, "the marks are still there"


def check_zoom(page):
    with Browser() as b:
        b.open(page)
        whole, text = span(b), b.text("range")
        left, top, width, height = b.place("#chart-sequence")
        b.pointer((left + width * 0.4, top + height / 2), "down", (left + width * 0.6, top + height / 2), "up")
        assert whole * 0.15 < span(b) < whole * 0.3, f"dragging showed {span(b) / whole}"
        assert b.text("range") != text, "the range says the same"
        b.click("#zoom-in")
        assert span(b) < whole * 0.2, "the button did not zoom in"
        b.click("#zoom-reset")
        same(span(b), whole, "all of it")
        b.keys("#charts", "++")
        same(round(span(b) / whole, 2), 0.36, "two keys")
        at = b.run("return view.t0")
        b.keys("#charts", KEY["right"])
        assert b.run("return view.t0") > at, "the arrow did not move"
        b.keys("#charts", "0")
        same(span(b), whole, "the key for all of it")


def check_hover(page):
    with Browser() as b:
        b.open(page)
        assert not b.run("return document.getElementById('tip').checkVisibility()"), "a tip of nothing"
        left, top, _, _ = b.place("#chart-sequence")
        x, y = b.run("const c = charts[0], m = story.marks.find((m) => has(m.bits, 'lost') && m.from === sender);"
                     "return [c.x(m.at), (c.y(m.seq) + c.y(m.end)) / 2]")
        b.pointer((left + x, top + y))
        assert re.search(r"lost", b.text("tip"), re.I), f"the tip says {b.text('tip')!r}"
        for name in ("flight", "rtt", "rate"):
            left, top, width, height = b.place("#chart-" + name)
            x, y = b.run("const c = charts.find((c) => c.canvas.id === arguments[0]);"
                         "for (let x = c.left; x < c.left + c.width; x++) for (let y = c.top; y < c.top +"
                         "c.innerHeight; y += 2) if (c.find(x, y)) return [x, y]", "chart-" + name)
            b.pointer((left + x, top + y))
            assert re.search(r"\d (ns|µs|ms|s)", b.text("tip")), f"the tip of {name} says {b.text('tip')!r}"
        b.pointer((2, 2))
        assert not b.run("return document.getElementById('tip').checkVisibility()"), "the tip stays"


def check_table(page):
    with Browser() as b:
        b.open(page)
        numbers = "return [...document.querySelectorAll('#connections tbody tr')].map((r) => Number(r.dataset.n))"
        all_of_them = sorted(b.run(numbers))
        assert len(all_of_them) > 1, "too few connections to sort"
        b.click("#connections th:first-child button")
        same(b.run(numbers), all_of_them[::-1], "by number, downwards")
        b.click("#connections th:first-child button")
        same(b.run(numbers), all_of_them, "by number, upwards")
        same(b.run("return document.querySelector('#connections th').ariaSort"), "ascending", "what it says")
        b.keys("#connections tbody tr:last-child", KEY["enter"])
        assert b.text("connection-title").startswith(f"#{all_of_them[-1]} "), b.text("connection-title")
        b.keys("#search", "#1")
        same(b.run(numbers), [1], "those with #1")
        rows = b.run("return document.querySelectorAll('#ladder tbody tr').length")
        assert rows > 5, f"{rows} rows in the ladder"


def check_shot(page, path, *words):
    """A picture to look at: of the top, or of `selector`; dark."""
    with Browser(dark="dark" in words, size=(1400, 1900)) as b:
        b.open(page)
        for w in words:
            if w.startswith("#"):
                b.place(w)
            elif w != "dark":
                b.run(w)
        b.settle()
        b.shot(path)


if __name__ == "__main__":
    globals()["check_" + sys.argv[1]](*sys.argv[2:])
