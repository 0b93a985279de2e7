#!/usr/bin/env python3
"""Writes the list of tensors into tests/golden/README.md, between the two marks."""
import glob
import json
import os
import struct

from common import FOLDER

BEGIN, END = "<!-- list begins -->", "<!-- list ends -->"


def describe(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
    metadata = header.pop("__metadata__")
    lines = [f"### {os.path.basename(path)}", "",
             f"PyTorch {metadata['torch']}, seed {metadata['seed']}, `{metadata['config']}`", ""]
    cases = json.loads(metadata["config"]).get("cases", [])
    for case in cases:  # of a file that holds many: one line each
        names = [n[:-len(case) - 1] for n in header if n.endswith("." + case)]
        lines.append(f"- `{case}`: {' '.join(names)}")
    for name, entry in header.items():
        if name.split(".")[-1] not in cases:
            shape = ",".join(map(str, entry["shape"]))
            lines.append(f"- `{name}` {entry['dtype']} ({shape})")
    return "\n".join(lines) + "\n"


def main():
    path = os.path.join(FOLDER, "README.md")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    files = sorted(glob.glob(os.path.join(FOLDER, "*.safetensors")))
    listing = "\n".join(describe(f) for f in files)
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{head}{BEGIN}\n\n{listing}\n{END}{tail}")


if __name__ == "__main__":
    main()
