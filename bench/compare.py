#!/usr/bin/env python3
"""Interleaves contestants that stay alive and do one round of work per line they read.

Every contestant runs with 1 and with all threads; rounds go round-robin, so that drift of the
machine's speed meets all alike. What counts is each contestant's best median over thread counts.
Needs nothing but Python's standard library; the rivals bring their own.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys


class Contestant:
    def __init__(self, name, threads, command):
        self.name, self.threads, self.seconds = name, threads, []
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        ready = json.loads(self.process.stdout.readline())
        self.version = ready.get("rival", name)

    def round(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} stopped")
        self.seconds.append(json.loads(line)["seconds"])

    def median(self):
        return statistics.median(self.seconds)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def best(contestants):
    return min(contestants, key=Contestant.median)


def date_epoch(options):
    """One training epoch of the date translator."""
    tool = os.path.join(options.build, "bench_date_epoch")
    data = options.data
    if not data:
        data = "build/bench_dates.txt"
        subprocess.run([tool, "--write", data], check=True)
    counts = sorted({1, len(os.sched_getaffinity(0))})
    ours = [Contestant("unroll", n, [tool, data, "--threads", str(n), "--serve"]) for n in counts]
    theirs = []
    if os.path.exists(options.rivals):
        script = "bench/rivals/date_epoch.py"
        theirs = [Contestant("pytorch", n,
                             [options.rivals, script, data, "--threads", str(n), "--serve"])
                  for n in counts]
    for contestant in ours + theirs:  # caches, allocators, frequency
        contestant.round()
        contestant.seconds.clear()
    for _ in range(options.rounds):
        for contestant in ours + theirs:
            contestant.round()
    for contestant in ours + theirs:
        spread = f"{min(contestant.seconds):.2f}-{max(contestant.seconds):.2f}"
        print(f"{contestant.version:28} {contestant.threads} threads  "
              f"{contestant.median():7.2f} s an epoch  ({spread})")
        contestant.close()
    row = {"name": "date_epoch", "ours": best(ours).median(), "unit": "s"}
    if theirs:
        rival = best(theirs)
        row |= {"rival": rival.median(), "rival_name": rival.version,
                "ratio": rival.median() / row["ours"]}
        print(f"date translator, one epoch: {row['ratio']:.2f} times as fast as {rival.version}")
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--data", help="a file of fixed-width pairs; default: built-in dates")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rivals", default="bench/.rivals/bin/python", help="their interpreter")
    options = parser.parse_args()
    rows = [date_epoch(options)]
    with open("build/bench.json", "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
