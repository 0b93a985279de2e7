"""What is not speed: the library's size, how long the tool takes to start, the memory of training, and of a
published BERT."""
import os
import statistics
import subprocess
import sys
import tempfile
import time

from contestants import Program

ROWS = ("size/libunroll.so", "start/version", "memory/date", "start/minilm", "memory/base-loading",
        "memory/base-steady")
SIZES = {"minilm": "bert hidden=384 layers=6 heads=12 ffn=1536", "base": "bert"}


def row(name, ours, unit, rival=None, rival_name=None):
    return {"name": name, "family": name.split("/")[0], "unit": unit, "ours": ours, "rival": rival,
            "rival_name": rival_name, "ratio": rival / ours if rival else None, "limit_share": None}


def size(build):
    library = "libunroll.dylib" if sys.platform == "darwin" else "libunroll.so"
    return row(ROWS[0], os.path.getsize(os.path.join(build, library)) / 1e6, "MB")


def start(build, rounds):
    """Seconds of `unroll --version`, process and all."""
    def once():
        begin = time.perf_counter()
        subprocess.run([os.path.join(build, "unroll"), "--version"], check=True,
                       stdout=subprocess.DEVNULL)
        return time.perf_counter() - begin
    once()
    return row(ROWS[1], statistics.median(once() for _ in range(10 * rounds)), "s")


def peak(pid, what="VmHWM"):
    """The most memory that a living process has had, in MB (or VmRSS: has now)."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(what)) * 1024 / 1e6


def write_bert(build, name, folder):
    """A published folder with random weights; the size of its weights' file in MB."""
    subprocess.run([os.path.join(build, "bench_unroll"), "--write-bert", folder, SIZES[name]], check=True)
    return os.path.getsize(os.path.join(folder, "model.safetensors")) / 1e6


def start_embed(build, rounds):
    """Seconds of `unroll embed` of a short text by MiniLM's sizes, process and all, the file in the page
    cache."""
    with tempfile.TemporaryDirectory() as folder:
        write_bert(build, "minilm", folder)

        def once():
            begin = time.perf_counter()
            subprocess.run([os.path.join(build, "unroll"), "embed", folder, "a a a a"], check=True,
                           stdout=subprocess.DEVNULL)
            return time.perf_counter() - begin
        once()
        return row(ROWS[3], statistics.median(once() for _ in range(3 * rounds)), "s")


def memory_bert(name, program):
    """Of a process with a BERT base that makes vectors of 128 tokens: at its peak, or when it has made some;
    beside it the file."""
    with tempfile.TemporaryDirectory() as folder:
        size = write_bert(os.path.dirname(program.command[0]), "base", folder)
        fresh = Program("unroll", program.threads, program.command)
        fresh.ask(f"embed folder={folder} tokens=128")
        ours = peak(fresh.process.pid, "VmRSS" if name == ROWS[5] else "VmHWM")
        fresh.close()
    return row(name, ours, "MB", size, "the file")


def memory(build, data, pytorch):
    """Peak of training the date translator, by the tool, evaluation included; and of PyTorch doing
    the same steps."""
    with tempfile.TemporaryDirectory() as folder:
        tool = subprocess.Popen(
            [os.path.join(build, "unroll"), "train", "seq2seq", "--data", "builtin:dates",
             "--preset", "notes", "--max-steps", "40", "--quiet", "--out", os.path.join(folder, "run")])
        _, status, usage = os.wait4(tool.pid, 0)
        tool.returncode = os.waitstatus_to_exitcode(status)
    if tool.returncode:
        raise RuntimeError("unroll train failed")
    ours = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    if not pytorch or not os.path.exists("/proc/self/status"):
        return row(ROWS[2], ours, "MB")
    program = Program("pytorch", pytorch.threads, pytorch.command)
    program.ask(f"date data={data} part=4")
    theirs = peak(program.process.pid)
    program.close()
    return row(ROWS[2], ours, "MB", theirs, program.version)


def measure(name, build, data, programs, rounds):
    if name == ROWS[0]:
        return size(build)
    if name == ROWS[1]:
        return start(build, rounds)
    if name == ROWS[3]:
        return start_embed(build, rounds)
    if name in ROWS[4:]:
        return memory_bert(name, programs["unroll"][-1])
    return memory(build, data, programs["pytorch"][-1] if "pytorch" in programs else None)
