"""What is measured: a row is one kind of work, done by the same program over either stack.

A measurement is a command and how to read its output: how much was done per second, and how much in all. `unit` is what
the amount counts: GB of the programs' data, or operations.
"""

import json
import statistics
from dataclasses import dataclass
from typing import Callable

from lan import TALK, TALK_PORT, at_client, at_server

SOCKPERF_PORT = 7100


@dataclass
class Row:
    name: str
    title: str
    goal: str            # "1.0x": at least that much of the kernel's; "2.5": at least that value; "": none is set
    rate: str            # what the value is
    unit: str            # GB or op
    side: str            # which of ours does it
    command: Callable    # (side, seconds) -> argv
    read: Callable       # output -> (value, amount)
    base: str = "kernel"  # and which of the kernel's it is compared with
    program: str = ""    # the long-running program that is measured; "": the command itself


def iperf(*options):
    def command(side, seconds):
        return side.command("iperf3", "-c", side.peer, "-J", "-t", str(max(1, round(seconds))), *options)
    return command


def read_iperf(out):
    end = json.loads(out)["end"]["sum_received"]
    return end["bits_per_second"] / 1e9, end["bytes"] / 1e9


def talk(mode, *sizes):
    def command(side, seconds):
        return side.command(TALK, mode, side.peer, str(TALK_PORT), *map(str, sizes), str(seconds))
    return command


def read_talk_turns(out):
    turns, seconds, _median, _p99 = map(float, out.split())
    return turns / seconds, turns


def read_talk_bytes(out):
    count, seconds = map(float, out.split())
    return count * 8 / seconds / 1e9, count / 1e9


def wrk(connections, page):
    def command(side, seconds):
        return at_server("wrk", "-t", "1", "-c", str(connections), "-d", f"{max(1, round(seconds))}s",
                         "--timeout", "60s", "-s", "tests/bench/wrk.lua",
                         f"http://{side.address}:{side.page_port}/{page}")
    return command


def read_wrk(out):
    """Requests, bytes, seconds."""
    words = next(line for line in out.splitlines() if line.startswith("total ")).split()
    requests, count, micro, errors = map(int, words[1:])
    if errors:
        raise ValueError(f"{errors} requests failed")
    return requests, count, micro / 1e6


def read_wrk_requests(out):
    requests, _, seconds = read_wrk(out)
    return requests / seconds, requests


def read_wrk_bytes(out):
    _, count, seconds = read_wrk(out)
    return count * 8 / seconds / 1e9, count / 1e9


def accepted(side, seconds):
    """The other way round: the server is on the side, the kernel's client in the server namespace."""
    return at_server(TALK, "conn", side.address, str(TALK_PORT), str(seconds))


def sockperf(side, seconds):
    return side.command("sockperf", "ping-pong", "-i", side.peer, "-p", str(SOCKPERF_PORT), "-m", "64",
                        "-t", str(max(1, round(seconds))))


def read_sockperf(out):
    """[Total Run] RunTime=1.000 sec; Warm up time=400 msec; SentMessages=1; ReceivedMessages=1"""
    line = next(text for text in out.splitlines() if "[Total Run]" in text)
    words = dict(word.split("=") for word in line.replace(";", " ").split() if "=" in word)
    turns = float(words["ReceivedMessages"])
    return turns / float(words["RunTime"]), turns


def hyperfine(side, seconds):
    """A program from its start to its end: what the preload and the first connection cost."""
    curl = " ".join([*side.preload(), "curl", "-s", "-o", "/dev/null", f"http://{side.peer}/1k"])
    return at_client("hyperfine", "-N", "--style=none", "--warmup=2", f"--min-runs={max(5, round(seconds * 50))}",
                     "--export-json=/dev/stdout", curl)


def read_hyperfine(out):
    times = json.loads(out[out.index("{"):])["results"][0]["times"]
    return 1 / statistics.median(times), len(times)


UDP = ("-u", "-b", "0", "-l", "1472")

ROWS = [
    Row("up", "bulk, 1 flow up (iperf3)", "1.0x", "Gbit/s", "GB", "packet", iperf(), read_iperf),
    Row("down", "bulk, 1 flow down", "1.0x", "Gbit/s", "GB", "packet", iperf("-R"), read_iperf),
    Row("up8", "bulk, 8 flows up", "0.9x", "Gbit/s", "GB", "packet", iperf("-P", "8"), read_iperf),
    Row("down8", "bulk, 8 flows down", "0.9x", "Gbit/s", "GB", "packet", iperf("-P", "8", "-R"), read_iperf),
    Row("rr1", "1-byte round trips", "1.0x", "1/s", "op", "packet", talk("rr", 1), read_talk_turns),
    Row("rr64k", "64 KiB request, 64 KiB response", "0.9x", "1/s", "op", "packet", talk("rr", 65536), read_talk_turns),
    Row("conn", "connect, request, close", "0.7x", "1/s", "op", "packet", talk("conn"), read_talk_turns),
    Row("accept", "the same, as the server", "", "1/s", "op", "packet", accepted, read_talk_turns, program="talk"),
    Row("nginx1k", "nginx, 1 KiB page (wrk -c 64)", "0.8x", "1/s", "op", "packet",
        wrk(64, "1k"), read_wrk_requests, program="nginx"),
    Row("nginx100m", "nginx, 100 MiB file, 8 clients", "0.9x", "Gbit/s", "GB", "packet",
        wrk(8, "100m"), read_wrk_bytes, program="nginx"),
    Row("write1k", "bulk in writes of 1 KiB, up", "0.8x", "Gbit/s", "GB", "packet",
        talk("write", 1024), read_talk_bytes),
    Row("udp", "UDP of 1,472 bytes up, received", "0.5x", "Gbit/s", "GB", "packet", iperf(*UDP), read_iperf),
    Row("udpdown", "UDP of 1,472 bytes down, received", "0.5x", "Gbit/s", "GB", "packet",
        iperf(*UDP, "-R"), read_iperf),
    Row("udprr", "UDP round trips, 64 bytes (sockperf)", "", "1/s", "op", "packet", sockperf, read_sockperf),
    Row("program", "curl of 1 KiB, start to end (hyperfine)", "", "1/s", "op", "packet", hyperfine, read_hyperfine),
    Row("pcapup", "pcap link, 1 flow up", "2.5", "Gbit/s", "GB", "pcap", iperf(), read_iperf),
    Row("pcapdown", "pcap link, 1 flow down", "2.5", "Gbit/s", "GB", "pcap", iperf("-R"), read_iperf),
    Row("tapup", "tap link, 1 flow up", "0.8x", "Gbit/s", "GB", "tap", iperf(), read_iperf, "kernel-tap"),
    Row("tapdown", "tap link, 1 flow down", "0.8x", "Gbit/s", "GB", "tap", iperf("-R"), read_iperf, "kernel-tap"),
    Row("taprr1", "tap link, 1-byte round trips", "", "1/s", "op", "tap", talk("rr", 1), read_talk_turns, "kernel-tap"),
]
CPU_GOAL = 1.5       # times the kernel's CPU seconds per GB
CPU_ROWS = ("up", "down")
# What the hop can do too: programs that connect, and nginx.
FLOOR_ROWS = ("up", "down", "up8", "down8", "rr1", "rr64k", "conn", "nginx1k", "nginx100m", "write1k", "udp", "udpdown")
