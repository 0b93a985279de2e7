"""What the rivals in Python share: works described by a line, and serving them to a runner.

The same protocol as bench/common/serve.c: `ready`, then one round for every line read. A rival is a
table {kind: make}, where make(words) returns a function that does one pass, or raises Refused. A
function's attribute `scale` says how much longer the whole work is than a pass.
"""
import argparse
import json
import os
import sys
import time

# PyTorch asks for some tens of megabytes in every step, and fresh pages cost it a fifth of its time.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
               "MALLOC_TOP_PAD_": str(1 << 28)}


class Refused(Exception):
    """This rival does not do this work."""


def keep_memory():
    """Starts the program again with glibc's allocator told to keep its memory."""
    if any(os.environ.get(k) != v for k, v in KEEP_MEMORY.items()):
        os.execve(sys.executable, [sys.executable] + sys.argv, {**os.environ, **KEEP_MEMORY})


class Words:
    """`kind key=value ...`: words.hidden is the number behind hidden=, words.get(key) the text."""

    def __init__(self, line):
        self.line = line
        self.kind, *rest = line.split()
        self.values = dict(word.split("=", 1) for word in rest)

    def get(self, key, otherwise=None):
        return self.values.get(key, otherwise)

    def number(self, key, otherwise=0):
        return int(self.values.get(key, otherwise))


def lengths(words):
    """As bench_lengths: all alike, or with ragged=1 spread evenly from 1 to steps, in no order."""
    batch, steps = words.number("batch", 32), words.number("steps", 35)
    if not words.number("ragged") or batch == 1:
        return [steps] * batch
    return [1 + (7 * b + 3) % batch * (steps - 1) // (batch - 1) for b in range(batch)]


class Known:
    """A work that was made and warmed up."""

    def __init__(self, kinds, line, seconds):
        words = Words(line)
        if words.kind not in kinds:
            raise Refused("nobody here knows this kind of work")
        self.run = kinds[words.kind](words)
        begin, passes, self.pass_ = time.perf_counter(), 0, 0
        while passes < 1 + (self.pass_ < 0.2) or time.perf_counter() - begin < seconds:
            before = time.perf_counter()
            self.run()
            self.pass_, passes = time.perf_counter() - before, passes + 1

    def round(self, seconds):
        run, begin = self.run, time.perf_counter()
        while self.pass_ < 0.1 * seconds and time.perf_counter() - begin < 0.1 * seconds:
            run()  # another contestant had the caches
        passes = max(1, int(seconds / self.pass_ + 0.5))
        begin = time.perf_counter()
        for _ in range(passes):
            run()
        return (time.perf_counter() - begin) / passes * getattr(run, "scale", 1.0)


def answer(kinds, known, line, seconds):
    try:
        if line not in known:
            known[line] = Known(kinds, line, seconds)
        return {"seconds": known[line].round(seconds)}
    except Refused as why:
        return {"none": str(why)}


def arguments(text):
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--round", type=float, default=0.03, help="seconds that a round should take")
    parser.add_argument("--rounds", type=int, default=0, help="do LINEs, instead of serving")
    parser.add_argument("lines", nargs="*", metavar="LINE")
    return parser.parse_args()


def serve(args, name, kinds):
    known = {}
    for line in args.lines:
        for _ in range(args.rounds):
            print(json.dumps(answer(kinds, known, line, args.round)), flush=True)
    if args.lines:
        return
    print(json.dumps({"ready": True, "name": name}), flush=True)
    for line in sys.stdin:
        line = line.rstrip("\n")
        if line == "drop":
            known.clear()
        else:
            print(json.dumps(answer(kinds, known, line, args.round)), flush=True)
