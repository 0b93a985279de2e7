"""The programs that are compared: each stays alive and does one round of a work per line it reads."""
import json
import os
import statistics
import subprocess
import sys
import time


# Seconds that threads of a library go on watching for work after it is done, keeping a core from
# whoever comes next: OpenBLAS 2^26 ticks, OpenMP's a few milliseconds.
LINGERS = {"openblas": 0.03, "pytorch": 0.01, "onednn": 0.005}


class Program:
    """A contestant's process with so many threads; started when first asked."""

    def __init__(self, name, threads, command):
        self.name, self.threads, self.command = name, threads, command
        self.process, self.version = None, name

    def ask(self, line):
        """One round of a work: its JSON answer."""
        if not self.process:
            self.start()
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        if line == "drop":
            return {}
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"{self.version}, {self.threads} threads, stopped at: {line}")
        return json.loads(answer)

    def start(self):
        environment = {**os.environ, "OMP_NUM_THREADS": str(self.threads),
                       "OPENBLAS_NUM_THREADS": str(self.threads)}
        for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            environment.pop(name, None)
        self.process = subprocess.Popen(self.command + ["--threads", str(self.threads)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, env=environment)
        self.version = json.loads(self.process.stdout.readline())["name"]

    def drop(self):
        if self.process:
            self.ask("drop")

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()
            self.process.stdout.close()
            self.process = None


class Entry:
    """A program doing one work in one variant, and its rounds so far."""

    def __init__(self, program, line, variant=""):
        self.program, self.variant, self.seconds = program, variant, []
        self.line = line + (f" variant={variant}" if variant else "")

    def round(self):
        """False: this contestant does not do that."""
        seconds = self.program.ask(self.line).get("seconds")
        if self.program.threads > 1:
            time.sleep(LINGERS.get(self.program.name, 0.0))
        if seconds is not None:
            self.seconds.append(seconds)
        return seconds is not None

    def median(self):
        return statistics.median(self.seconds)

    def label(self):
        variant = f" ({self.variant})" if self.variant else ""
        return f"{self.program.version}{variant}, {self.program.threads} threads"


def entries_of(row, group, variants):
    """A contestant's program for each number of threads, in each of its variants."""
    return [Entry(program, row.work, variant)
            for program in group if not (row.one_core and program.threads > 1)
            for variant in variants]


def thread_counts():
    """One, and all that this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return sorted({1, usable})


def programs(build, rivals, python):
    """{name: [a program per number of threads]}; rivals that are not installed are not in it.
    python: an interpreter that has PyTorch, None for that of the rivals' folder."""
    commands = {"unroll": [os.path.join(build, "bench_unroll")]}
    python = python or os.path.join(rivals, "bin", "python")
    if os.path.exists(python):
        commands["pytorch"] = [python, "bench/rivals/pytorch.py"]
    for name in ("onednn", "openblas"):
        program = os.path.join(rivals, "bin", "rival_" + name)
        if os.path.exists(program):
            commands[name] = [program]
    return {name: [Program(name, n, command) for n in thread_counts()]
            for name, command in commands.items()}
