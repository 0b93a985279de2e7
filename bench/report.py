"""The table on stdout, what it comes to per family, and build/bench.json."""
import json
import math


def seconds(x):
    for unit, factor in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        if x * factor >= 1 or unit == "us":
            return f"{x * factor:.3g} {unit}"


def line(r):
    """One row: ours, share of the limit, the best rival, ratio."""
    text = f"{r['name']:42} {seconds(r['ours']):>9} x{r['ours_threads']} {r['limit_share']:6.1%}"
    if "gflops" in r:
        text += f" {r['gflops']:6.1f} GF/s"
    else:
        text += " " * 12
    if r["ratio"]:
        text += f"  {seconds(r['rival']):>9} {r['rival_limit_share']:6.1%}  {r['ratio']:6.2f}x"
        text += f"  {r['rival_name']}"
    if "scaling" in r:
        text += f"  [1 -> all threads: {r['scaling']:.2f}x]"
    print(text, flush=True)


def save(results, path):
    with open(path, "w", encoding="utf-8") as file:
        for result in results:
            file.write(json.dumps(result) + "\n")


def summary(results):
    """Per family: geometric mean of the ratios, the worst row, and the shares of the limit."""
    print()
    for family in dict.fromkeys(r["family"] for r in results):
        mine = [r for r in results if r["family"] == family]
        shares = [r["limit_share"] for r in mine]
        text = f"{family:16} {len(mine):3} rows  limit {min(shares):.0%} to {max(shares):.0%}"
        compared = [r for r in mine if r["ratio"]]
        if compared:
            mean = math.exp(sum(math.log(r["ratio"]) for r in compared) / len(compared))
            worst = min(compared, key=lambda r: r["ratio"])
            text += f"  geometric mean {mean:.2f}x, worst {worst['ratio']:.2f}x {worst['name']}"
        print(text)


def sizes_match(_glob):
    return False
