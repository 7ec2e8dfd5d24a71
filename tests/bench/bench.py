"""The kernel's stack and ours at the same work, in turns.

For each row (rows.py) the same command runs over the kernel and over us, one right after the other, in the other order
the next time; so whatever else the machine does hits both alike. A ratio is that of one such pair; the median, the
least and the greatest of them are shown. Rates alone are comparable within a run only.

With --floor a third takes its turn in the rows that it can do (FLOOR_ROWS): the hop (hop.c), the kernel's stack behind
the AF_UNIX sockets that ours has.

CPU time is that of all processes of both namespaces: program, engine and peer, and of the kernel's softirq threads.
System calls are those of engine and program, not of the peer, counted by perf in a short run of their own.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time

import lan
import report
from rows import FLOOR_ROWS, ROWS, SOCKPERF_PORT

OUT = "build/bench"
LAST = "tests/bench/last.json"
PICTURE = "docs/bench.svg"

NGINX = """daemon off; master_process off; user root; pid {dir}/pid; error_log {dir}/error.log;
worker_rlimit_nofile 4096;
events {{ worker_connections 2048; }}
http {{
	access_log off; sendfile on; tcp_nopush on; keepalive_timeout 600; keepalive_requests 1000000000;
	client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u;
	scgi_temp_path {dir}/s;
	server {{ listen {listen} backlog=1024; root {root}; }}
}}
"""


def start_nginx(side):
    where = f"{lan.DIR}/nginx-{side.name}"
    listen = f"unix:{side.page_path}" if side.page_path else f"{side.address}:{side.page_port}"
    os.makedirs(where)
    with open(f"{where}/conf", "w", encoding="ascii") as f:
        f.write(NGINX.format(dir=where, listen=listen, root=f"{lan.DIR}/www"))
    pid = lan.start(side.command("nginx", "-e", f"{where}/error.log", "-p", where, "-c", f"{where}/conf"),
                    f"nginx-{side.name}")
    if side.page_path:
        lan.await_path(side.page_path)
        lan.start(lan.at_client(lan.HOP, "in", str(side.page_port), side.page_path), "hop-pages")
    lan.await_port(lan.at_server, side.address, side.page_port)
    return pid


class Bench:
    def __init__(self, options):
        self.options = options
        self.sides = {"kernel": lan.Side("kernel", os.environ["LAN_KERNEL"]),
                      "packet": lan.ours("packet", os.environ["LAN_FAKE"], "packet"),
                      "pcap": lan.ours("pcap", "10.77.0.130", "pcap"),
                      "hop": lan.hop(),
                      **lan.tap_sides()}
        self.programs = {}  # (program, side) -> pid of the measured server
        self.calls = lan.have_perf()

    def sides_of(self, row):
        """Who takes turns: what the result calls it, and the side."""
        names = {"kernel": row.base, "ours": row.side}
        if self.options.floor and row.name in FLOOR_ROWS:
            names["hop"] = "hop"
        return {who: self.sides[name] for who, name in names.items()}

    def prepare(self, rows):
        """Servers, and everything that belongs to a first time: engines, addresses, caches."""
        lan.start(lan.at_server("iperf3", "-s"), "iperf3")
        lan.start(lan.at_server("sockperf", "server", "-i", lan.SERVER, "-p", str(SOCKPERF_PORT)), "sockperf")
        lan.start(lan.at_server(lan.TALK, "serve", lan.SERVER, str(lan.TALK_PORT)), "talk")
        lan.await_port(lan.at_server, lan.SERVER, 5201)
        lan.await_port(lan.at_server, lan.SERVER, lan.TALK_PORT)
        os.makedirs(f"{lan.DIR}/www")
        for name, size in (("1k", 1 << 10), ("100m", 100 << 20)):
            with open(f"{lan.DIR}/www/{name}", "wb") as f:
                f.write(os.urandom(size))
        start_nginx(lan.Side("server", lan.SERVER, namespace="server"))
        if any(row.side == "tap" for row in rows):
            lan.tap_up()
        if self.options.floor:
            lan.hop_up(self.sides["hop"])
        for row in rows:
            for side in self.sides_of(row).values():
                self.prepare_side(row, side)

    def prepare_side(self, row, side):
        key = (row.program, side.name)
        if row.program and key not in self.programs:
            if row.program == "nginx":
                self.programs[key] = start_nginx(side)
            else:
                self.programs[key] = lan.start(
                    side.command(lan.TALK, "serve", side.address, str(lan.TALK_PORT)), f"talk-{side.name}")
                lan.await_port(lan.at_server, side.address, lan.TALK_PORT)
        if side.env and not side.started:
            lan.run(side.command(lan.TALK, "rr", side.peer, str(lan.TALK_PORT), "1", "0.1"), 20)
            side.started = True

    def measure(self, row, side):
        """One sample: value, amount, CPU seconds per amount."""
        seconds = self.options.seconds
        before = lan.cpu_seconds()
        out, cpu = lan.run(row.command(side, seconds), seconds * 5 + 20)
        cpu += lan.cpu_seconds() - before
        value, amount = row.read(out)
        if not amount:
            raise lan.Failed("nothing was done")
        return {"value": value, "cpu": cpu / amount}

    def calls_per_unit(self, row, side):
        """System calls of engine and program per MB or operation."""
        pids = lan.engines() if side.env else []
        if row.program:
            pids.append(self.programs[row.program, side.name])
        out, calls = lan.count_calls(row.command(side, 1), pids, not row.program, 30)
        _, amount = row.read(out)
        return calls / (amount * 1000 if row.unit == "GB" else amount)

    def run_row(self, row, progress):
        sides = self.sides_of(row)
        samples = {who: [] for who in sides}
        for turn in range(self.options.reps):
            for who in sides if turn % 2 == 0 else reversed(sides):
                progress(f"{row.title}: {sides[who].name}, {turn + 1} of {self.options.reps}")
                samples[who].append(self.measure(row, sides[who]))
        result = {"title": row.title, "goal": row.goal, "rate": row.rate, "unit": row.unit, **samples}
        if self.calls and not self.options.quick:
            progress(f"{row.title}: system calls")
            try:
                result["calls"] = {who: self.calls_per_unit(row, sides[who]) for who in ("kernel", "ours")}
            except lan.NotCounted:
                pass
        return result


def machine():
    model = "unknown"
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return {"cpus": os.cpu_count(), "model": model, "kernel": platform.release(), "load": os.getloadavg()[0],
            "commit": commit.stdout.strip(), "date": time.strftime("%Y-%m-%d")}


def progress_line():
    """On a terminal the line says what is being done; elsewhere nothing."""
    if not sys.stderr.isatty():
        return lambda text: None
    began = time.monotonic()
    return lambda text: print(f"\r\033[K{time.monotonic() - began:4.0f} s  {text}" if text else "\r\033[K",
                              end="", file=sys.stderr, flush=True)


def parse_options():
    parser = argparse.ArgumentParser(prog="tests/bench/run")
    parser.add_argument("--quick", action="store_true", help="once, one second each: a first look")
    parser.add_argument("--floor", action="store_true", help="what the AF_UNIX hop alone costs, too")
    parser.add_argument("--save", action="store_true", help="later runs compare with this one")
    parser.add_argument("--reps", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(row.name for row in ROWS))
    options = parser.parse_args()
    options.reps = options.reps or (1 if options.quick else 5)
    options.seconds = options.seconds or (1 if options.quick else 2)
    wanted = [name for text in options.rows for name in text.split(",") if name]
    strange = set(wanted) - {row.name for row in ROWS}
    if strange:
        parser.error(f"no such row: {', '.join(sorted(strange))}")
    return options, [row for row in ROWS if not wanted or row.name in wanted]


def main():
    options, rows = parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    bench = Bench(options)
    result = {"machine": machine(), "reps": options.reps, "seconds": options.seconds, "floor": options.floor,
              "rows": {}}
    failed = 0
    progress = progress_line()
    progress("starting servers and engines")
    try:
        bench.prepare(rows)
    except lan.Failed as why:
        progress("")
        print(f"cannot begin: {why}")
        return 1
    report.heading(result)
    for row in rows:
        try:
            result["rows"][row.name] = bench.run_row(row, progress)
        except (lan.Failed, ValueError, KeyError) as why:
            failed += 1
            progress("")
            print(f"{row.name}: failed: {why}", flush=True)
            continue
        progress("")
        report.line(row.name, result, report.load(LAST))
    report.cpu_lines(result)
    os.makedirs(OUT, exist_ok=True)
    report.save(result, f"{OUT}/result.json", f"{OUT}/ratios.svg")
    if options.save and not failed:
        report.save(result, LAST, PICTURE)
    return 1 if failed else 0


if __name__ == "__main__":
    status = main()
    lan.end_background()
    sys.exit(status)
