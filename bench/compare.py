#!/usr/bin/env python3
"""Measures the rows of bench/rows.py: ours, the rivals and the machine's limits, in turn.

    bench/run [--rows GLOB] [--rounds N] [--quick] [--data FILE]
    bench/run --against BUILD [--rows GLOB] [--rounds N] [--quick]      (against.py)

A row begins with a round or two of every contestant: each with one thread and with all, each rival
in each of its variants. Those that took more than 1.35 times the best of that name drop out; the
others go round-robin, with the loops that measure the machine's limits among them, so that drift of the
machine's speed meets all alike. What counts is each one's best median. Nobody can be faster than the limit: a
row where somebody is, by more than two hundredths, was measured wrong, and the exit status is then 1.
"""
import argparse
import fnmatch
import json
import os
import subprocess
import sys

import against
import footprint
import machine
import report
import rows
from contestants import Entry, entries_of, programs, rulers

FAR_BEHIND = 1.35
LONG = 0.1  # seconds
MOST_SHARE = 1.02  # of a limit


def best(entries):
    return min(entries, key=Entry.median)


def first_round(entries, keep_all=False):
    """Entries worth more rounds: those that do the work at all, and are near the best. Where it costs
    little they get a second try, somebody else may have wanted the machine."""
    entries = [e for e in entries if e.round()]
    for entry in entries:
        if entry.median() < LONG:
            entry.round()
    limit = min((min(e.seconds) for e in entries), default=0.0) * (1e9 if keep_all else FAR_BEHIND)
    near = [e for e in entries if min(e.seconds) <= limit]
    for entry in near:
        entry.seconds.clear()
    return near


def measure(row, all_programs, all_rulers, rounds):
    """One row's result, as it goes to bench.json."""
    ours = first_round(entries_of(row, all_programs["unroll"],
                                  row.variants.get("unroll", [""])), row.scaling)
    theirs = {}
    for name, group in all_programs.items():
        if name != "unroll":
            theirs[name] = first_round(entries_of(row, group, row.variants.get(name, [])))
    ruler = all_rulers[0 if row.one_core else -1]
    limits = {line: Entry(ruler, line) for line in row.limits}
    everyone = ours + sum(theirs.values(), []) + list(limits.values())
    for _ in range(rounds):
        for entry in everyone:
            entry.round()
    for group in [*all_programs.values(), all_rulers]:
        for program in group:
            program.drop()
    mine = best(ours)
    allowed = row.limit({line: entry.median() for line, entry in limits.items()})
    result = {"name": row.name, "family": row.family, "unit": row.unit, "ours": mine.median(),
              "ours_threads": mine.program.threads, "ours_variant": mine.variant, "rival": None,
              "rival_name": None, "ratio": None, "limit_share": allowed / mine.median()}
    if row.flops:
        result["gflops"] = row.flops / mine.median() / 1e9
    rivals = sorted((best(group) for group in theirs.values() if group), key=Entry.median)
    if rivals:
        result |= {"rival": rivals[0].median(), "rival_name": rivals[0].label(),
                   "ratio": rivals[0].median() / mine.median(),
                   "rival_limit_share": allowed / rivals[0].median(),
                   "rivals": {rival.label(): rival.median() for rival in rivals}}
    result["valid"] = allowed <= MOST_SHARE * min(e.median() for e in [mine] + rivals[:1])
    if row.scaling and len(ours) > 1:
        alone = [e for e in ours if e.program.threads == 1]
        together = [e for e in ours if e.program.threads > 1]
        result["scaling"] = best(alone).median() / best(together).median()
    return result


def built_in_dates(build):
    """The built-in dates as a file that all contestants read."""
    path = "build/bench_dates.txt"
    subprocess.run([os.path.join(build, "bench_unroll"), "--write-dates", path], check=True)
    return path


def against_another_build(options, rounds):
    data = options.data or built_in_dates(options.build)
    chosen = [row for row in rows.all_rows(data, False) if not row.family.startswith("product")
              and fnmatch.fnmatch(row.name, options.rows)]
    if not chosen:
        sys.exit(f"no row but products is called {options.rows}")
    path = os.path.join(os.path.dirname(options.json), "bench_against.json")
    return against.compare(chosen, options.against, options.build, rounds, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="*", metavar="GLOB", help="names of rows: ragged/gru/*")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="3 rounds: to look, not to report")
    parser.add_argument("--data", help="a file of fixed-width pairs; default: built-in dates")
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--rivals", default="bench/.rivals", help="their folder")
    parser.add_argument("--python", help="an interpreter that has PyTorch; default: of that folder")
    parser.add_argument("--compile", action="store_true",
                        help="torch.compile too, where it can win: minutes of compiling")
    parser.add_argument("--json", default="build/bench.json")
    parser.add_argument("--against", metavar="BUILD",
                        help="another build's folder, or its bench_unroll: the old one, which --build "
                             "is compared with; exit 1 when it was faster")
    options = parser.parse_args()
    rounds = 3 if options.quick else options.rounds
    if options.against:
        sys.exit(against_another_build(options, rounds))
    all_programs = programs(options.build, options.rivals, options.python)
    all_rulers = rulers(options.build)
    if len(all_programs) == 1:
        print("no rivals in bench/.rivals (bench/install_rivals): our own figures only")
    data = options.data or built_in_dates(options.build)
    chosen = [row for row in rows.all_rows(data, options.compile)
              if fnmatch.fnmatch(row.name, options.rows)]
    others = [name for name in footprint.ROWS if fnmatch.fnmatch(name, options.rows)]
    if not chosen + others:
        sys.exit(f"no row is called {options.rows}")
    results = machine.measure(all_rulers, rounds)
    for result in results:
        report.line(result)
    for row in chosen + others:
        results.append(footprint.measure(row, options.build, data, all_programs, rounds)
                       if row in others else measure(row, all_programs, all_rulers, rounds))
        report.line(results[-1])
        report.save(results, options.json)
    report.summary(results)
    for group in [*all_programs.values(), all_rulers]:
        for program in group:
            program.close()
    sys.exit(1 if report.invalid(results) else 0)


if __name__ == "__main__":
    main()
