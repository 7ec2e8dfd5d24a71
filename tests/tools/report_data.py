#!/usr/bin/env python3
"""What a page of `teecee report` says, read without a browser.

report_data.py PAGE            lines of "name value" for a test to look at
"""
import base64
import html.parser
import json
import sys


class Page(html.parser.HTMLParser):
    """The elements with an id, the data, and whatever would make a browser load something."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.loads, self.data, self.inside = [], [], "", False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if "id" in attrs:
            self.ids.append(attrs["id"])
        self.loads += [v for k, v in attrs.items() if k in ("src", "href", "srcset", "action")]
        if tag == "link":
            self.loads.append(tag)
        self.inside = attrs.get("id") == "data"

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.data += data


def numbers(text):
    """Varints of base64: core/report/pack.h."""
    value = shift = 0
    for byte in base64.b64decode(text, validate=True):
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield value
            value = shift = 0


def signed(v):
    return -(v + 1 >> 1) if v & 1 else v >> 1


def series(text):
    n, *rest = numbers(text)
    assert len(rest) == 7 * n, "a series of another length"
    points, t, b, lo = [], 0, 0, 0
    for i in range(n):
        p = rest[7 * i:7 * i + 7]
        t += signed(p[0])
        a = b + signed(p[2])
        b = a + signed(p[3])
        lo += signed(p[4])
        points.append((t, t + signed(p[1]), a, b, lo, lo + signed(p[5]), p[6]))
    return points


def marks(text):
    n, *rest = numbers(text)
    assert len(rest) == 8 * n, "marks of another length"
    return [rest[8 * i:8 * i + 8] for i in range(n)]


def main():
    page = Page(open(sys.argv[1], encoding="utf-8").read())
    data = json.loads(page.data)
    names = [m[0] for m in data["marks"]]
    print("ids", *sorted(page.ids))
    print("loads", *page.loads)
    print("partial", data["partial"])
    print("packets", data["packets"])
    print("connections", data["count"])
    for k in data["conns"]:
        print("lost", sum(s["lost"] for s in k["side"]))
        print("process", k["process"])
        for i, s in enumerate(k["side"]):
            print("again", i, s["count"][names.index("again")])
            print("fresh", i, s["fresh"])
    for c in data["charts"]:
        lost = 1 << names.index("lost")
        print("lost-marks", sum(m[5] for m in marks(c["marks"]) if m[4] & lost))
        for i, side in enumerate(c["side"]):
            points = {k: series(v) for k, v in side.items()}
            print("sent", i, sum(p[3] - p[2] for p in points["data"]))
            print("acked", i, max((p[3] for p in points["ack"]), default=0))
            assert all(p[4] <= p[5] and p[6] >= 1 for v in points.values() for p in v)
            assert all(p[0] <= q[0] for v in points.values() for p, q in zip(v, v[1:]))
        print("rows", len(c["rows"]))


main()
