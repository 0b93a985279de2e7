#!/usr/bin/env python3
"""What the weights that timed_run.py wrote at its marks are worth, as a folder that `unroll plot` draws.

    marks.py UNROLL RUN OUT --data VALID [option of unroll eval ...]
    unroll plot RUN OUT --over minutes

RUN is the run whose model was trained anew, OUT has S.safetensors, S being seconds of training. Each is
measured by `unroll eval` as RUN's own weights were; OUT/metrics.jsonl and OUT/config.json are written."""
import argparse
import json
import shutil
import subprocess
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("unroll")
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", required=True)
    o, options = parser.parse_known_args()
    marks = sorted(int(file.stem) for file in o.out.glob("*.safetensors"))
    with open(o.out / "metrics.jsonl", "w", encoding="ascii") as metrics:
        for i, seconds in enumerate(marks):
            said = subprocess.run([o.unroll, "eval", o.out / f"{seconds}.safetensors", "--data", o.data,
                                   "--json", "--quiet", *options], check=True, capture_output=True)
            figures = {f"valid_{name}": value for name, value in json.loads(said.stdout).items()
                       if isinstance(value, (int, float))}
            line = {"epoch": i + 1, "step": i + 1, **figures, "train_seconds": seconds, "seconds": seconds}
            print(json.dumps(line), file=metrics, flush=True)
    shutil.copy(o.run / "config.json", o.out)


if __name__ == "__main__":
    main()
