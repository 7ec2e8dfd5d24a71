"""Very many connections: what each costs when nothing happens, and whether work costs more among many than among few.

Two crowds (crowd.c), one over the kernel's stack and one over ours, each with a server of its own in the other
namespace, grow to 10, 1,000 and 10,000 connections. At each size both in turn do the same work several times: close and
open connections, read small pieces and large ones, each from the next connection in turn. CPU time is everybody's:
program, engine, server.

What a small piece costs grows with the number of connections on any stack, the kernel's included, for nothing of the
next connection is in the cache; so its limit is the kernel's own growth, while a connection and a byte have to cost the
same among many as among few.
"""

import json
import os
import subprocess
import sys
import time

import lan
from bench import machine, progress_line

OUT = "build/bench"
CROWD = lan.TOP + "/build/tests/bench/crowd"
PORTS = 8
SIZES = (10, 1000, 10000)
WORK = {  # how it is said, what one of it counts
    "connection": (("churn", 1600), "us per connection", 1600 / 1e6),
    "request": (("give", 4000, 8192), "us per request of 8 KiB", 4000 / 1e6),  # an initial window holds it
    "byte": (("give", 1600, 262144), "s per GB", 1600 * 262144 / 1e9),
}
MANY = 15000
STALLED, STALLED_MEM_MIB = 1000, 64
WITHIN = 1.2           # cost at one size to that at another
BYTES_EACH = 8192      # of an idle connection
IDLE_SHARE = 0.01      # of a core
IDLE_SECONDS = 5


class Crowd:
    """A program with very many connections, which does as it is told."""

    def __init__(self, side, port):
        self.server = lan.start(lan.at_server(CROWD, "serve", lan.SERVER, str(port), str(PORTS)), f"crowd-{side.name}")
        lan.await_port(lan.at_server, lan.SERVER, port)
        self.program = subprocess.Popen(side.command(CROWD, lan.SERVER, str(port), str(PORTS)), text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        lan.background.append(self.program)

    def do(self, *words):
        """The seconds it took."""
        print(*words, file=self.program.stdin, flush=True)
        answer = self.program.stdout.readline()
        if not answer:
            raise lan.Failed(f"the crowd failed to {' '.join(map(str, words))}")
        return float(answer.split()[1])

    def end(self):
        self.program.stdin.close()
        self.program.wait()


def cpu_of(crowd, *words):
    before = lan.cpu_seconds()
    crowd.do(*words)
    return lan.cpu_seconds() - before


def engine_memory():
    """Bytes of the engine's own: heap, and its part of the table."""
    total = 0
    for pid in lan.engines():
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith(("RssAnon", "RssShmem")))
    return total * 1024


def engine_cpu():
    total = 0
    for pid in lan.engines():
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total / lan.NSEC


def costs(crowds, reps, progress):
    """Of each side and kind of work, the least of several: whoever else uses the machine only adds to it."""
    samples = {name: {kind: [] for kind in WORK} for name in crowds}
    for turn in range(reps):
        for name in sorted(crowds, reverse=turn % 2 == 0):
            progress(f"the same work, {name}, {turn + 1} of {reps}")
            for kind, (words, _, amount) in WORK.items():
                samples[name][kind].append(cpu_of(crowds[name], *words) / amount)
    return {name: {kind: min(values) for kind, values in kinds.items()}
            for name, kinds in samples.items()}


def one_more(side):
    """The microseconds in which one more connection is opened, used and closed, and in which it answers: of seven runs
    the one with the least median."""
    result = {}
    for what, words in (("connect, request, close", ("conn",)), ("a round trip", ("rr", "1")),
                        ("64 KiB there and back", ("rr", "65536"))):
        times = []
        for _ in range(7):
            mode, *sizes = words
            out, _ = lan.run(side.command(lan.TALK, mode, lan.SERVER, str(lan.TALK_PORT), *sizes, "0.3"), 30)
            times.append(float(out.split()[2]))
        result[what] = min(times)
    return result


def say(what, value, goal="", good=True):
    print(f"{what:<68} {value:>16}  {goal:<14} {'ok' if good else 'MISSED'}".rstrip() if goal else
          f"{what:<68} {value:>16}", flush=True)


def grow(result, sides, reps, progress):
    crowds = {name: Crowd(side, 7200 + 20 * i) for i, (name, side) in enumerate(sides.items())}
    crowds["packet"].do("open", SIZES[0])  # there is an engine
    crowds["packet"].do("close")
    empty = engine_memory()
    result["alone"] = one_more(sides["packet"])
    size = 0
    for target in SIZES:
        for crowd in crowds.values():
            progress(f"{target} connections")
            crowd.do("open", target - size)
            crowd.do("give", target, 262144)  # congestion windows are open now
        size = target
        if target == SIZES[-1]:
            result["bytes each"] = (engine_memory() - empty) / target
            began = engine_cpu()
            time.sleep(IDLE_SECONDS)
            result["idle share"] = (engine_cpu() - began) / IDLE_SECONDS
            result["one more"] = one_more(sides["packet"])
        result["costs"][target] = costs(crowds, reps, progress)
    progress(f"{MANY} connections")
    crowds["kernel"].do("close")
    result["open seconds"] = crowds["packet"].do("open", MANY - size)
    result["close seconds"] = crowds["packet"].do("close")
    for crowd in crowds.values():
        crowd.end()


def stall(result, progress):
    """Readers that do not read, over an engine with a total of its own; and one that does read, among them."""
    side = lan.ours("stalled", "10.77.0.140", "packet")
    side.env["TEECEE_MEM"] = f"{STALLED_MEM_MIB}MiB"
    before = engine_memory()
    crowd = Crowd(side, 7300)
    crowd.do("open", STALLED)
    crowd.do("stall")
    memory, last = engine_memory(), -1
    while memory != last:
        progress(f"{STALLED} readers that do not read: {(memory - before) >> 20} MiB")
        time.sleep(1)
        memory, last = engine_memory(), memory
    result["stalled bytes"] = memory - before
    result["among stalled"] = one_more(side)
    crowd.program.kill()
    crowd.program.wait()


def report(result):
    say("an idle connection, bytes of engine memory", f"{result['bytes each']:,.0f}", f"<= {BYTES_EACH}",
        result["bytes each"] <= BYTES_EACH)
    say(f"the engine with {SIZES[-1]:,} idle connections, of a core", f"{result['idle share']:.2%}",
        f"< {IDLE_SHARE:.0%}", result["idle share"] < IDLE_SHARE)
    for what, alone in result["alone"].items():
        among = result["one more"][what]
        say(f"one more, alone and among them: {what}, us", f"{alone:.1f} -> {among:.1f}",
            f"{among / alone:.2f} <= {WITHIN:.2f}", among <= WITHIN * alone)
    say(f"{MANY:,} connections open and closed without error, seconds",
        f"{result['open seconds']:.2f} + {result['close seconds']:.2f}")
    for kind, (_, unit, _) in WORK.items():
        limit = WITHIN
        for name in ("kernel", "packet"):
            values = [result["costs"][n][name][kind] for n in SIZES]
            growth = max(values) / values[0]
            if name == "kernel" and kind == "request":
                limit = growth
            say(f"CPU, {unit}, {name}: at {', '.join(f'{n:,}' for n in SIZES)}",
                " ".join(f"{v:.3g}" for v in values),
                f"{growth:.2f} <= {limit:.2f}" if name == "packet" else "", growth <= limit)
    say(f"{STALLED:,} stalled readers, MiB of an engine that may have {STALLED_MEM_MIB}",
        f"{result['stalled bytes'] / (1 << 20):.0f}", f"<= {STALLED_MEM_MIB}",
        result["stalled bytes"] <= STALLED_MEM_MIB << 20)
    for what, value in result["among stalled"].items():
        say(f"one that reads, among them: {what}, us", f"{value:.1f}")


PLOT = """set terminal svg size 1200,420 font "sans,12" background "#ffffff"
set output "{picture}"
set multiplot layout 1,3 title "CPU time of program, engine and server, by how many connections are open"
set logscale x
set yrange [0:*]
set xlabel "connections"
set grid lc rgb "#dddddd"
set key bottom right
{plots}
"""


def draw(result, picture):
    plots = ""
    for kind, (_, label, _) in WORK.items():
        lines = [" ".join(str(x) for x in (n, result["costs"][n]["kernel"][kind], result["costs"][n]["packet"][kind]))
                 for n in SIZES]
        data = "\n".join(lines) + "\ne\n"
        plots += f'set ylabel "{label}"\nplot "-" using 1:2 with linespoints title "kernel", ' \
                 f'"-" using 1:3 with linespoints title "ours"\n{data}{data}'
    subprocess.run(["gnuplot"], input=PLOT.format(picture=picture, plots=plots), text=True, check=True)


def main():
    reps = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    progress = progress_line()
    sides = {"kernel": lan.Side("kernel", os.environ["LAN_KERNEL"]),
             "packet": lan.ours("packet", os.environ["LAN_FAKE"], "packet")}
    result = {"machine": machine(), "costs": {}}
    lan.start(lan.at_server(lan.TALK, "serve", lan.SERVER, str(lan.TALK_PORT)), "talk")
    lan.await_port(lan.at_server, lan.SERVER, lan.TALK_PORT)
    failed = 0
    try:
        grow(result, sides, reps, progress)
        stall(result, progress)
        progress("")
        report(result)
        os.makedirs(OUT, exist_ok=True)
        with open(f"{OUT}/scale.json", "w", encoding="utf-8") as f:
            json.dump(result, f, indent=1)
        draw(result, f"{OUT}/scale.svg")
    except lan.Failed as why:
        progress("")
        print(f"failed: {why}")
        failed = 1
    return failed


if __name__ == "__main__":
    status = main()
    lan.end_background()
    sys.exit(status)
