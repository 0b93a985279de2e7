"""What the machine can do at best: the FMA peak, and reading from each cache and from memory, by one
core and by all. Rows of their own; the shares of other rows are against what was measured among
their own rounds."""
from contestants import Entry

SYSTEM = "/sys/devices/system/cpu/cpu0/cache"
USUAL = {1: 32 << 10, 2: 512 << 10, 3: 16 << 20}


def cache_bytes(level):
    """Of the data or unified cache of this level, as the system tells."""
    for index in range(8):
        try:
            with open(f"{SYSTEM}/index{index}/level", encoding="ascii") as file:
                found = int(file.read())
            with open(f"{SYSTEM}/index{index}/type", encoding="ascii") as file:
                data = file.read().strip() != "Instruction"
            with open(f"{SYSTEM}/index{index}/size", encoding="ascii") as file:
                size = int(file.read().strip().rstrip("K")) << 10
        except (OSError, ValueError):
            break
        if data and found == level:
            return size
    return USUAL[level]


def lines(cores):
    """{what: (line for the program, amount of it in 1e9)}; two thirds of a cache, so that it fits."""
    reading = {f"L{level}": cache_bytes(level) * 2 // 3 * (cores if level < 3 else 1)
               for level in (1, 2, 3)}
    reading["memory"] = 8 * cache_bytes(3)
    limits = {"fma": ("flops", 1.0)}
    for what, size in reading.items():
        limits[what] = (f"reading bytes={size // 1024 * 1024}", size // 1024 * 1024 / 1e9)
    return limits


def measure(group, rounds):
    """Results, for the table, of every program (1 thread, all threads) of ours."""
    entries = [(what, amount, Entry(program, line)) for program in group
               for what, (line, amount) in lines(program.threads).items()]
    for _ in range(rounds):
        for _, _, entry in entries:
            entry.round()
    for program in group:
        program.drop()
    return [{"name": f"machine/{what}-x{entry.program.threads}", "family": "machine",
             "unit": "GF/s" if what == "fma" else "GB/s", "ours": amount / entry.median(),
             "rival": None, "rival_name": None, "ratio": None, "limit_share": None}
            for what, amount, entry in entries]
