"""What came out: a table for the terminal, JSON for programs, a picture by gnuplot."""

import json
import statistics
import subprocess

from rows import CPU_GOAL, CPU_ROWS

COLUMNS = "{:<9} {:<39} {:>5}  {:>10} {:>10}  {:>5} {:<13} {:<4} {}{:>17} {:>15}  {}"


def load(path):
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    except FileNotFoundError:
        return None


def median(samples, key):
    return statistics.median(s[key] for s in samples)


def ratios(row, key="value", who="ours"):
    """Ours (or the hop's) to the kernel's, of each pair: median, least, greatest."""
    pairs = [o[key] / k[key] for k, o in zip(row["kernel"], row[who]) if k[key]]
    return statistics.median(pairs), min(pairs), max(pairs)


def number(x):
    """Four significant digits at most, and no exponent."""
    return f"{x:,.0f}" if x >= 1000 else f"{x:.3g}"


def verdict(row):
    goal = row["goal"]
    if not goal:
        return ""
    if goal.endswith("x"):
        return "ok" if ratios(row)[0] >= float(goal[:-1]) else "LOW"
    return "ok" if median(row["ours"], "value") >= float(goal) else "LOW"


def moved(now, before):
    """What changed since: only what neither run's own spread explains, and 5 % at least."""
    if not before:
        return ""
    mid, low, high = ratios(now)
    old, old_low, old_high = ratios(before)
    if old_low <= mid <= old_high or low <= old <= high or abs(mid / old - 1) < 0.05:
        return ""
    return f"was {old:.2f} ({old_low:.2f}-{old_high:.2f})"


def hop_column(result, text):
    """The hop's column, which only a run with --floor has."""
    return f"{text:>11} " if result["floor"] else ""


def hop_ratios(row):
    """The hop's rate and CPU time to the kernel's; "": the hop does not do this."""
    return ", ".join(f"{ratios(row, key, 'hop')[0]:.2f}" for key in ("value", "cpu")) if "hop" in row else ""


def heading(result):
    m = result["machine"]
    print(f"{m['cpus']} x {m['model']}, Linux {m['kernel']}, load {m['load']:.1f}; {result['reps']} pairs of"
          f" {result['seconds']:g} s; GB = 10^9 bytes\n")
    print(COLUMNS.format("row", "", "goal", "kernel", "ours", "ratio", "min-max", "",
                         hop_column(result, "hop, CPU"),
                         "CPU s/GB, us/op", "calls/MB, /op", "moved"), flush=True)


def cost(row, key, scale):
    return f"{number(median(row['kernel'], key) * scale)} -> {number(median(row['ours'], key) * scale)}"


def line(name, result, last):
    row = result["rows"][name]
    mid, low, high = ratios(row)
    calls = row.get("calls")
    print(COLUMNS.format(
        name, row["title"], row["goal"],
        number(median(row["kernel"], "value")), number(median(row["ours"], "value")), f"{mid:.2f}",
        f"({low:.2f}-{high:.2f})" if low != high else "", verdict(row),
        hop_column(result, hop_ratios(row)),
        cost(row, "cpu", 1 if row["unit"] == "GB" else 1e6),
        f"{number(calls['kernel'])} -> {number(calls['ours'])}" if calls else "",
        moved(row, (last or {"rows": {}})["rows"].get(name))).rstrip(), flush=True)


def cpu_lines(result):
    for name in CPU_ROWS:
        row = result["rows"].get(name)
        if row:
            mid, low, high = ratios(row, "cpu")
            print(COLUMNS.format(
                name, "CPU seconds per GB", f"{CPU_GOAL:g}x", number(median(row["kernel"], "cpu")),
                number(median(row["ours"], "cpu")), f"{mid:.2f}", f"({low:.2f}-{high:.2f})" if low != high else "",
                "ok" if mid <= CPU_GOAL else "HIGH", "", "", "", "").rstrip())


def save(result, path, picture):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(result, f, indent=1)
        f.write("\n")
    draw(result, picture)


PLOT = """set terminal svg size 1000,520 font "sans,12" background "#ffffff"
set output "{picture}"
set title "Ours to the kernel, the same work in turns over one veth pair: median, least and greatest of {reps} pairs"
set style fill solid 0.8 noborder
set boxwidth 0.6
set xrange [-0.7:{last}]
set yrange [0:*]
set offsets 0, 0, 0.25, 0
set bmargin 6
set ytics 0.25
set grid ytics lc rgb "#dddddd"
set xtics rotate by -35
set key top right
plot "-" using 1:2:xtic(5) with boxes lc rgb "#4477aa" title "ratio", \\
	"-" using 1:2:3:4 with yerrorbars lc rgb "#222222" pt -1 notitle, \\
	"-" using ($1-0.35):2:(0.7):(0) with vectors nohead lw 2 lc rgb "#cc3311" title "goal", \\
	1 with lines lc rgb "#888888" dt 2 title "the kernel"
"""


def draw(result, picture):
    """By gnuplot, if it is there."""
    points = [(i, *ratios(row), name, row["goal"]) for i, (name, row) in enumerate(result["rows"].items())]
    if not points:
        return
    boxes = "".join(f"{i} {mid} {low} {high} {name}\n" for i, mid, low, high, name, _ in points)
    goals = "".join(f"{i} {goal[:-1]}\n" for i, *_, goal in points if goal.endswith("x"))
    goals = goals or "0 NaN\n"
    script = PLOT.format(picture=picture, reps=result["reps"], last=len(points) - 0.3)
    script += f"{boxes}e\n{boxes}e\n{goals}e\n"
    try:
        subprocess.run(["gnuplot"], input=script, text=True, check=True, capture_output=True)
    except FileNotFoundError:
        print("no picture: gnuplot is not installed")
    except subprocess.CalledProcessError as why:
        print(f"no picture: {why.stderr.strip()}")
