"""A web server that misbehaves on request: peer.py ADDRESS PORT. One line per event on stdout, with the time.

GET /plain/N    N bytes and an orderly end, without Content-Length
GET /hold/N     N bytes without Content-Length, then nothing, until the client goes
GET /holdlen/N  the same with a Content-Length of twice as much
GET /reset/N    N bytes without Content-Length, then RST
PUT /anything   answers with the SHA-256 of the body

What it logs: "from ADDRESS" for each connection; "held PATH", when all N bytes are in the kernel's hands;
"gone fin PATH" or "gone rst PATH", when the client went. The body is a 64 KiB block of splitmix64 repeated;
`peer.py body N` prints it.
"""

import hashlib
import socket
import struct
import sys
import threading
import time


def make_block():
    state, out = 7, []
    mask = (1 << 64) - 1
    for _ in range(8192):
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = ((state ^ state >> 30) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & mask
        out.append((z ^ z >> 31).to_bytes(8, "little"))
    return b"".join(out)


BLOCK = make_block()


def body(size):
    for _ in range(size // len(BLOCK)):
        yield BLOCK
    yield BLOCK[: size % len(BLOCK)]


def say(text):
    print(f"{time.time():.6f} {text}", flush=True)


def read_head(conn):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = conn.recv(65536)
        if not piece:
            return None, b""
        data += piece
    head, rest = data.split(b"\r\n\r\n", 1)
    return head.decode("latin-1"), rest


def wait_until_gone(conn, path):
    try:
        while conn.recv(65536):
            pass
        say(f"gone fin {path}")
    except OSError:
        say(f"gone rst {path}")


def get(conn, path):
    kind, size = path.strip("/").split("/")
    size = int(size)
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n"
    if kind == "holdlen":
        head += f"Content-Length: {2 * size}\r\n"
    conn.sendall(head.encode() + b"\r\n")
    for piece in body(size):
        conn.sendall(piece)
    say(f"held {path}")
    if kind == "reset":
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif kind == "plain":
        conn.shutdown(socket.SHUT_WR)
    if kind != "reset":
        wait_until_gone(conn, path)


def put(conn, head, rest):
    length, sha = 0, hashlib.sha256(rest)
    for line in head.split("\r\n")[1:]:
        name, value = line.split(":", 1)
        if name.lower() == "content-length":
            length = int(value)
        if name.lower() == "expect":
            conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    left = length - len(rest)
    while left > 0:
        piece = conn.recv(min(left, 1 << 20))
        if not piece:
            say("upload cut off")
            return
        sha.update(piece)
        left -= len(piece)
    text = sha.hexdigest() + "\n"
    conn.sendall(f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())


def serve(conn):
    path = "?"
    try:
        with conn:
            head, rest = read_head(conn)
            if head is None:
                return
            method, path = head.split(" ")[:2]
            if method == "PUT":
                put(conn, head, rest)
            else:
                get(conn, path)
    except OSError as e:
        say(f"gone rst {path} {e.strerror}")


def main():
    if sys.argv[1] == "body":
        for piece in body(int(sys.argv[2])):
            sys.stdout.buffer.write(piece)
        return
    listener = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=128)
    while True:
        conn, client = listener.accept()
        say(f"from {client[0]}")
        threading.Thread(target=serve, args=(conn,), daemon=True).start()


main()
