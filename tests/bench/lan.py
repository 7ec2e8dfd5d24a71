"""The two ends of the private LAN (tests/bats/lan.bash has made it), programs in them, and what they cost.

A side is a stack: the kernel's, or ours with a link, or the kernel's behind the hop. Its programs run in the client
namespace and have its address; whom they talk to is always the kernel of the server namespace.
"""

import os
import resource
import socket
import subprocess
import time

TOP = os.environ["LAN_TOP"]
DIR = os.environ["LAN_DIR"]
SERVER = os.environ["LAN_SERVER"]
TALK = TOP + "/build/tests/bench/talk"
TALK_PORT = 7000
PAGE_PORT, HOP_PAGE_PORT = 80, 8080
HOP = TOP + "/build/tests/bench/hop"
NSEC = 1e9


class Failed(Exception):
    """A measurement that could not be made."""


class NotCounted(Exception):
    """perf had no counter at that time: the machine is too busy."""


class Side:
    def __init__(self, name, address, env=None, peer=SERVER, namespace="client"):
        self.name = name
        self.address = address
        self.env = env or {}
        self.peer = peer  # the address of whom its programs talk to
        self.namespace = namespace
        self.page_port = PAGE_PORT  # where its nginx is asked
        self.page_path = ""  # and where that listens, if a relay stands between
        self.started = False  # its first connection was made, so that an engine is there

    def preload(self):
        return ["env"] + [f"{k}={v}" for k, v in self.env.items()] if self.env else []

    def command(self, *argv):
        return ["ip", "netns", "exec", self.namespace, *self.preload(), *argv]


def ours(name, address, link, iface="va", peer=SERVER):
    """A side of ours: an engine of its own, which stays for as long as the run."""
    env = {"LD_PRELOAD": os.environ["LAN_LIB"], "TEECEE_IFACE": iface, "TEECEE_IP": address + "/24",
           "TEECEE_LINK": link, "TEECEE_IDLE": "3600"}
    # What is to be tried in a run, TEECEE_BUSY_POLL say, is handed on; what belongs to the side is not.
    env.update({k[6:]: v for k, v in os.environ.items() if k.startswith("BENCH_TEECEE_")})
    return Side(name, address, env, peer)


def hop():
    """The kernel's stack, and in front of it the AF_UNIX socket that ours has there (hop.c)."""
    side = Side("hop", os.environ["LAN_KERNEL"], {"LD_PRELOAD": HOP + "_preload.so"})
    side.page_port = HOP_PAGE_PORT
    side.page_path = f"{DIR}/hop-pages"
    return side


def hop_up(side):
    start(at_client(HOP, "out"), "hop")
    await_port(side.command, side.peer, TALK_PORT)


# Over TAP devices: ours has one, with the kernel of the client namespace at its other end; the kernel's has one in each
# namespace, and a patch cable between them.
TAP_PEER, TAP_FAKE = "10.88.0.1", "10.88.0.2"
PATCH_PEER, PATCH_KERNEL = "10.89.0.1", "10.89.0.2"


def tap_sides():
    return {"tap": ours("tap", TAP_FAKE, "tap", "t0", TAP_PEER),
            "kernel-tap": Side("kernel-tap", PATCH_KERNEL, peer=PATCH_PEER, namespace="server")}


def tap_up():
    for namespace, device, address in (("client", "t0", TAP_PEER), ("client", "t1", PATCH_PEER),
                                       ("server", "t2", PATCH_KERNEL)):
        network = address.rsplit(".", 1)[0] + ".0/24"
        for command in (f"tuntap add {device} mode tap", f"address add {address}/24 dev {device}",
                        f"link set {device} up",
                        f"route replace {network} dev {device} proto kernel scope link src {address} congctl cubic"):
            subprocess.run(["ip", "-n", namespace, *command.split()], check=True)
    start([f"{TOP}/build/tests/bench/patch", "client", "t1", "server", "t2"], "patch")
    start(at_client("iperf3", "-s"), "iperf3-client")
    for address in (TAP_PEER, PATCH_PEER):
        start(at_client(TALK, "serve", address, str(TALK_PORT)), "talk-tap")
        await_port(at_client, address, TALK_PORT)
    await_port(at_client, TAP_PEER, 5201)


def at_client(*argv):
    return ["ip", "netns", "exec", "client", *argv]


def at_server(*argv):
    return ["ip", "netns", "exec", "server", *argv]


background = []


def start(argv, log):
    with open(f"{DIR}/{log}.log", "ab") as out:
        background.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out))
    return background[-1].pid


def end_background():
    for child in background:
        child.kill()
        child.wait()


def await_port(at, address, port, seconds=15):
    """Until a connection is accepted there."""
    end = time.monotonic() + seconds
    probe = ["bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}"]
    while subprocess.run(at(*probe), stderr=subprocess.DEVNULL, check=False).returncode != 0:
        if time.monotonic() > end:
            raise Failed(f"nobody listens on {address}:{port}")


def await_path(path, seconds=15):
    """Until somebody accepts there: a relay in front of it listens anyway."""
    end = time.monotonic() + seconds
    with socket.socket(socket.AF_UNIX) as probe:
        while probe.connect_ex(path) != 0:
            if time.monotonic() > end:
                raise Failed(f"nobody listens on {path}")
            time.sleep(0.01)


def run(argv, limit):
    """Its standard output, and the CPU seconds of it and its children."""
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        out, err = child.communicate(timeout=limit)
    except subprocess.TimeoutExpired as late:
        child.kill()
        child.communicate()
        raise Failed(f"{' '.join(argv[-6:])}: not done within {limit:.0f} s") from late
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if child.returncode != 0:
        raise Failed(f"{' '.join(argv[-6:])}: status {child.returncode}: {(err or out).strip()[-300:]}")
    return out, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def processes():
    """The pids in both namespaces."""
    inside = [os.stat(f"/run/netns/{name}").st_ino for name in ("client", "server")]
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{pid}/ns/net").st_ino in inside:
                found.append(int(pid))
        except OSError:
            pass  # it has ended
    return found


def engines():
    return [pid for pid in processes() if os.path.basename(read_link(f"/proc/{pid}/exe")) == "teecee-engine"]


def read_link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def cpu_seconds():
    """Of all processes that live in the namespaces, and of the kernel's softirq threads. (What the kernel does for the
    network otherwise, it does on the time of whoever sends.)"""
    total = 0
    for pid in processes():
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                    total += int(f.read().split()[0])
        except OSError:
            pass
    for fd in os.environ.get("BENCH_SOFTIRQ", "").split():
        total += int(os.pread(int(fd), 128, 0).split()[0])
    return total / NSEC


def have_perf():
    probe = ["perf", "stat", "-e", "raw_syscalls:sys_enter", "true"]
    try:
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def count_calls(argv, pids, count_command, limit):
    """Runs argv; its output, and how many system calls it (if count_command) and the processes `pids` made."""
    files = []

    def perf(command, *options):
        files.append(f"{DIR}/perf.{len(files)}")
        return ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-o", files[-1], *options, "--", *command]

    if count_command:
        argv = perf(argv)
    if pids:
        argv = perf(argv, "-p", ",".join(map(str, pids)))
    out, _ = run(argv, limit)
    calls = 0
    for name in files:
        with open(name, encoding="ascii") as f:
            for line in f:
                if line.startswith("<not counted>"):
                    raise NotCounted
                calls += int(line.split(",")[0]) if "raw_syscalls" in line else 0
    return out, calls
