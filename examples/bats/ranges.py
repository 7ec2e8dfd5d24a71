"""ranges.py ADDRESS PORT DIR: a web server that knows ranges, for the tests beside it."""
import http.server
import os
import sys

address, port, root = sys.argv[1], int(sys.argv[2]), sys.argv[3]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(os.path.join(root, os.path.basename(self.path)), "rb") as f:
            data = f.read()
        asked = self.headers.get("Range", "")
        first = int(asked[len("bytes="):].split("-")[0]) if asked.startswith("bytes=") else 0
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - first))
        self.end_headers()
        self.wfile.write(data[first:])


http.server.ThreadingHTTPServer((address, port), Handler).serve_forever()
