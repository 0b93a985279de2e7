"""Two builds of bench_unroll against each other, in turn: what did a change do to the speed?

Every row but the products. A row's ratio is old / new, of each build's best median over numbers of
threads and variants, so that above 1 the new one is faster. Both are asked in every round, and change
places from round to round. A row that comes out below WORST is measured again by fresh processes,
with AGAIN rounds, and what that gives counts.
"""
import os
import sys

import report
from contestants import Entry, Program, entries_of, thread_counts

MEAN, WORST, AGAIN = 0.99, 0.97, 15
FAR_BEHIND = 1.35


def program_of(build):
    """bench_unroll of a build's folder, or that program itself."""
    path = os.path.join(build, "bench_unroll") if os.path.isdir(build) else build
    if not os.access(path, os.X_OK) or os.path.isdir(path):
        sys.exit(f"{path}: no such program (cmake --build {build} --target bench_unroll)")
    return os.path.abspath(path)


def near(entries):
    """Of one build's entries, after a round of each, those that do the work and are not far behind."""
    entries = [entry for entry in entries if entry.round()]
    limit = FAR_BEHIND * min((entry.seconds[0] for entry in entries), default=0.0)
    entries = [entry for entry in entries if entry.seconds[0] <= limit]
    for entry in entries:
        entry.seconds.clear()
    return entries


def measure(row, sides, rounds):
    """(old, new): each build's best entry, with its seconds; None where it does not do the row."""
    groups = [near(entries_of(row, programs, row.variants.get("unroll", [""])))
              for programs in sides]
    turns = max(map(len, groups))
    for number in range(rounds if all(groups) else 0):
        for turn in range(turns):
            for group in groups if number % 2 == 0 else reversed(groups):
                if turn < len(group):
                    group[turn].round()
    for programs in sides:
        for program in programs:
            program.drop()
    return [min(group, key=Entry.median) if group and group[0].seconds else None
            for group in groups], [bool(group) for group in groups]


def restart(sides):
    for programs in sides:
        for program in programs:
            program.close()


def result_of(row, old, new, rounds):
    return {"name": row.name, "family": row.family, "unit": row.unit, "old": old.median(),
            "new": new.median(), "ratio": old.median() / new.median(), "rounds": rounds,
            "old_threads": old.program.threads, "new_threads": new.program.threads,
            "old_variant": old.variant, "new_variant": new.variant}


def line(r, note=""):
    print(f"{r['name']:42} {report.amount(r['old'], 's'):>9} x{r['old_threads']} "
          f"{report.amount(r['new'], 's'):>9} x{r['new_threads']}  {r['ratio']:6.3f}{note}",
          flush=True)


def one_row(row, sides, rounds):
    """The row's result, printed; None where a build does not do it."""
    (old, new), does = measure(row, sides, rounds)
    if not all(does):
        who = "neither build does" if not any(does) else \
            "the new build does not do" if does[0] else "the old build does not do"
        print(f"{row.name:42} left out: {who} this", flush=True)
        return None
    result = result_of(row, old, new, rounds)
    if result["ratio"] >= WORST:
        line(result)
        return result
    line(result, "  below the bar: again")
    restart(sides)
    (old, new), _ = measure(row, sides, AGAIN)
    result = result_of(row, old, new, AGAIN)
    line(result, "  counts")
    return result


def compare(chosen, old, new, rounds, path):
    """The exit status: 0 where the geometric mean and every row reach the bar."""
    sides = [[Program(name, n, [program_of(build)]) for n in thread_counts()]
             for name, build in (("old", old), ("new", new))]
    print(f"{'row':42} {'old':>9}    {'new':>9}     ratio")
    results = []
    for row in chosen:
        result = one_row(row, sides, rounds)
        if result:
            results.append(result)
            report.save(results, path)
    restart(sides)
    if not results:
        sys.exit("no row was measured")
    mean = report.mean([r["ratio"] for r in results])
    below = [r for r in results if r["ratio"] < WORST]
    worst = min(results, key=lambda r: r["ratio"])
    print(f"\n{len(results)} rows, geometric mean {mean:.3f} (at least {MEAN}), "
          f"worst {worst['ratio']:.3f} {worst['name']}, {len(below)} below {WORST}")
    return 0 if mean >= MEAN and not below else 1
