"""The programs that are compared: each stays alive and does one round of a work per line it reads.

A library's threads go on watching for work after it is done, some for milliseconds and some for ever, and
keep a core from whoever comes next. So a process is stopped (SIGSTOP) from its answer to the next line that it
gets, and whoever computes, a contestant or a limit, has all cores for itself.
"""
import atexit
import json
import os
import signal
import statistics
import subprocess
import sys

# Rivals in Python: what the interpreter must have, and the program with its arguments.
IN_PYTHON = {"pytorch": ("torch", "pytorch.py"), "jax": ("jax", "jax_models.py"),
             "ctranslate2": ("ctranslate2", "ctranslate2_decoder.py"),
             "ctranslate2-encoder": ("ctranslate2", "inference.py ctranslate2"),
             "onnxruntime": ("onnxruntime", "inference.py onnxruntime"),
             "openvino": ("openvino", "inference.py openvino")}


class Program:
    """A contestant's process with so many threads; started when first asked."""

    def __init__(self, name, threads, command):
        self.name, self.threads, self.command = name, threads, command
        self.process, self.version = None, name

    def ask(self, line):
        """One round of a work: its JSON answer. Nothing of the process runs before and after that."""
        if not self.process:
            self.start()
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"{self.version}, {self.threads} threads, stopped at: {line}")
        self.sleep()
        return json.loads(answer)

    def sleep(self):
        """Returns when all threads have stopped."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitpid(self.process.pid, os.WUNTRACED)

    def start(self):
        environment = {**os.environ, "OMP_NUM_THREADS": str(self.threads),
                       "OPENBLAS_NUM_THREADS": str(self.threads)}
        for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            environment.pop(name, None)
        self.process = subprocess.Popen(self.command + ["--threads", str(self.threads)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, env=environment)
        atexit.register(self.process.kill)  # a stopped process would outlive this one
        self.version = json.loads(self.process.stdout.readline())["name"]
        self.sleep()

    def drop(self):
        """Has it forget its works, which gets no answer: but what nobody knows does, behind that."""
        if self.process:
            self.ask("drop\nnothing")

    def close(self):
        if self.process:
            self.process.send_signal(signal.SIGCONT)
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


def has_module(python, module):
    question = f"import importlib.util, sys; sys.exit(not importlib.util.find_spec('{module}'))"
    return os.path.exists(python) and subprocess.run([python, "-c", question], check=False).returncode == 0


def ours(build):
    return os.path.join(build, "bench_unroll")


def rulers(build):
    """Programs that measure the machine's limits, by number of threads: processes of their own, in which no
    work leaves threads behind."""
    return [Program("limits", n, [ours(build)]) for n in thread_counts()]


def programs(build, rivals, python):
    """{name: [a program per number of threads]}; rivals that are not installed are not in it.
    python: the interpreter of those in Python, None for that of the rivals' folder."""
    commands = {"unroll": [ours(build)]}
    os.environ["BENCH_UNROLL"] = ours(build)  # for rivals that compare what they compute
    python = python or os.path.join(rivals, "bin", "python")
    for name, (module, program) in IN_PYTHON.items():
        if has_module(python, module):
            commands[name] = [python, *("bench/rivals/" + program).split()]
    for name in ("onednn", "openblas"):
        program = os.path.join(rivals, "bin", "rival_" + name)
        if os.path.exists(program):
            commands[name] = [program]
    return {name: [Program(name, n, command) for n in thread_counts()]
            for name, command in commands.items()}
