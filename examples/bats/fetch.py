#!/usr/bin/python3
"""fetch.py URL FILE: a small HTTP client that does not give up at once. What a project under test may look like.

It goes on where it was when the connection breaks (five times at most), waits two seconds for an answer, and
never leaves half a file under the name that was asked for.
"""
import os
import socket
import sys
import urllib.error
import urllib.request

TRIES = 5
PATIENCE = 2.0


def fetch_rest(url, out):
    """The rest of the file, behind what is in `out`. True: it is whole."""
    have = out.tell()
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        if have and answer.status != 206:  # a server that always starts from the beginning
            out.seek(0)
            out.truncate()
        left = int(answer.headers["Content-Length"])
        while left and (data := answer.read1(65536)):
            out.write(data)
            left -= len(data)
        return left == 0


def fetch(url, name):
    part = name + ".part"
    with open(part, "wb") as out:
        for n in range(TRIES):
            try:
                if fetch_rest(url, out):
                    os.rename(part, name)
                    return 0
                why = "the connection ended early"
            except urllib.error.HTTPError as e:
                why = str(e)
                break
            except (urllib.error.URLError, socket.timeout, ConnectionError) as e:
                why = str(getattr(e, "reason", e))
            print(f"fetch: try {n + 1}: {why}", file=sys.stderr)
    os.unlink(part)
    print(f"fetch: {url}: {why}", file=sys.stderr)
    return 1


sys.exit(fetch(sys.argv[1], sys.argv[2]))
