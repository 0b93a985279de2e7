#!/usr/bin/env python3
"""The table on stdout, what it comes to per family, and build/bench.json.

    bench/report.py [--all] FILE ...     what such files hold, as Markdown for the documentation: a line
                                         per family and cell, or with --all every row
"""
import json
import math
import sys


def amount(x, unit):
    """Three digits of it."""
    if unit != "s":
        return f"{x:.3g} {unit}"
    for name, factor in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        if x * factor >= 1 or name == "us":
            return f"{x * factor:.3g} {name}"


def line(r):
    """One row: ours, share of the limit, the best rival and its share, ratio."""
    text = f"{r['name']:42} {amount(r['ours'], r['unit']):>9}"
    text += f" x{r['ours_threads']} {r['limit_share']:6.1%}" if r["limit_share"] else " " * 10
    text += f" {r['gflops']:6.1f} GF/s" if "gflops" in r else " " * 12
    if r["ratio"]:
        share = r.get("rival_limit_share")
        text += f"  {amount(r['rival'], r['unit']):>9} " + (f"{share:6.1%}" if share else " " * 6)
        text += f"  {r['ratio']:6.2f}x  {r['rival_name']}"
    for name, other in list(r.get("rivals", {}).items())[1:]:
        text += f"; {name} {other / r['ours']:.2f}x"
    if r.get("ours_variant"):
        text += f"  [{r['ours_variant']}]"
    if "scaling" in r:
        text += f"  [1 -> all threads: {r['scaling']:.2f}x]"
    if invalid([r]):
        text += "  INVALID: above the limit"
    print(text, flush=True)


def invalid(results):
    """Those where somebody was faster than the limit that was measured beside them."""
    return [r for r in results if not r.get("valid", True)]


def save(results, path):
    with open(path, "w", encoding="utf-8") as file:
        for result in results:
            file.write(json.dumps(result) + "\n")


def mean(ratios):
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def by_rival(results):
    """{rival: its ratios}, each in its best form, where more than one takes part."""
    ratios = {}
    for r in results:
        for label, seconds in r.get("rivals", {}).items():
            ratios.setdefault(label.split()[0], []).append(seconds / r["ours"])
    return ratios if len(ratios) > 1 else {}


def summary(results):
    """Per family: geometric mean of the ratios, the worst row, and the shares of the limit."""
    print()
    for family in dict.fromkeys(r["family"] for r in results if r["family"] != "machine"):
        mine = [r for r in results if r["family"] == family]
        shares = [r["limit_share"] for r in mine if r["limit_share"]]
        text = f"{family:16} {len(mine):3} rows"
        if shares:
            text += f"  limit {min(shares):.0%} to {max(shares):.0%}"
        compared = [r for r in mine if r["ratio"]]
        if compared:
            worst = min(compared, key=lambda r: r["ratio"])
            text += f"  geometric mean {mean([r['ratio'] for r in compared]):.2f}x"
            text += f", worst {worst['ratio']:.2f}x {worst['name']}"
            text += "".join(f"; {name} alone {mean(ratios):.2f}x"
                            for name, ratios in by_rival(compared).items())
        print(text)
    wrong = [r["name"] for r in invalid(results)]
    if wrong:
        print(f"{len(wrong)} invalid, above their limit: {', '.join(wrong)}")


# ---- Markdown ------------------------------------------------------------------------------------


def group_of(name):
    """layer/lstm/H64-B32-T100/train -> layer/lstm, train; product/M6-N256-K64 -> product."""
    family, *rest = name.split("/")
    if len(rest) < 2:
        return family
    return f"{family}/{rest[0]}" + (f", {rest[2]}" if len(rest) > 2 else "")


def cells(*texts):
    return "| " + " | ".join(texts) + " |"


def share_range(shares):
    low, high = f"{min(shares):.0%}", f"{max(shares):.0%}"
    return low if low == high else f"{low[:-1]} to {high[:-1]} %".replace("%%", "%")


def markdown_groups(results):
    print(cells("work", "rows", "ahead of the best rival", "the worst row", "ahead of PyTorch",
                "of the limit"))
    print(cells(*["---"] * 6))
    for group in dict.fromkeys(group_of(r["name"]) for r in results):
        mine = [r for r in results if group_of(r["name"]) == group and r["limit_share"]]
        ratios = [r["ratio"] for r in mine if r["ratio"]]
        if not ratios:
            continue
        pytorch = [seconds / r["ours"] for r in mine for label, seconds in r.get("rivals", {}).items()
                   if label.startswith("PyTorch")]
        print(cells(group, str(len(mine)), f"{mean(ratios):.2f}", f"{min(ratios):.2f}",
                    f"{mean(pytorch):.2f}" if pytorch else "",
                    share_range([r["limit_share"] for r in mine])))


def markdown_rows(results):
    print(cells("row", "ours", "best rival", "", "ratio", "of the limit"))
    print(cells("---", "--:", "--:", "---", "--:", "--:"))
    for r in results:
        print(cells(r["name"], amount(r["ours"], r["unit"]),
                    amount(r["rival"], r["unit"]) if r["rival"] else "",
                    (r["rival_name"] or "").replace(" threads", "").replace(" ()", ""),
                    f"{r['ratio']:.2f}" if r["ratio"] else "",
                    f"{r['limit_share']:.0%}" if r["limit_share"] else ""))


def main():
    files = [name for name in sys.argv[1:] if name != "--all"]
    results = {}
    for name in files:
        with open(name, encoding="utf-8") as file:
            results |= {r["name"]: r for r in map(json.loads, file)}
    (markdown_rows if "--all" in sys.argv else markdown_groups)(list(results.values()))


if __name__ == "__main__":
    main()
