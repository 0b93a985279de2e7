#!/usr/bin/env python3
"""Turns a PyTorch checkpoint (.pt, .pth) into a safetensors file.

    import_pt.py model.pt                        lists the tensors
    import_pt.py model.pt model.safetensors      writes them, and lists what it wrote

The file is read with torch.load(weights_only=True), which runs no code from it. It may hold a
state_dict, or a dictionary with one under `state_dict`, `model_state_dict`, `model_state`, `model`,
`module` or `net`, or under whatever other key alone has one.
Number formats stay as they are; tensors that share memory are written once each.
"""
import argparse
import ctypes
import json
import os
import re
import struct
import sys
import tempfile

NESTED = ("state_dict", "model_state_dict", "model_state", "model", "module", "net")


class Refused(Exception):
    """What is wrong with the file, in one sentence."""


def plain(error):
    """All that an exception says, on one line and without a terminal's escape codes."""
    text = re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]", "", str(error))
    text = re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", text)
    return " ".join(text.split()) or type(error).__name__


def load(path):
    if not os.path.isfile(path):
        raise Refused(f"{path}: there is no such file")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds
        raise Refused(f"{path}: cannot be read as weights alone; a file that holds a whole module "
                      "or other Python objects must be saved again as its state_dict "
                      f"({plain(error)})")


def has_tensors(content):
    return isinstance(content, dict) and any(isinstance(v, torch.Tensor) for v in content.values())


def state_dict_of(path, content):
    """The dictionary of tensors: the content itself, or what one of its usual keys holds, or what the
    only other dictionary of tensors in it is."""
    if not isinstance(content, dict):
        raise Refused(f"{path}: holds a {type(content).__name__}, a state_dict was expected")
    if has_tensors(content):
        return content
    for key in NESTED:
        if isinstance(content.get(key), dict):
            return state_dict_of(path, content[key])
    others = [key for key, value in content.items() if has_tensors(value)]
    if len(others) == 1:
        return content[others[0]]
    keys = ", ".join(map(str, list(content)[:10])) or "none"
    raise Refused(f"{path}: no tensors, and no state_dict under {', '.join(NESTED)} (keys: {keys})")


def chosen(path, state, prefix, strip):
    """The tensors whose names begin with `prefix`, under names without `strip`."""
    tensors = {}
    for name, value in state.items():
        if not isinstance(name, str) or not name.startswith(prefix):
            continue
        if not isinstance(value, torch.Tensor):
            print(f"{path}: {name} is a {type(value).__name__}, no tensor: left out",
                  file=sys.stderr)
            continue
        new_name = name[len(strip):] if name.startswith(strip) else name
        if new_name in tensors or not new_name or new_name == "__metadata__":
            raise Refused(f"{path}: {name} cannot be called \"{new_name}\" without its prefix")
        if value.layout != torch.strided or value.is_quantized or value.dtype not in FORMATS:
            raise Refused(f"{path}: {name} is {value.dtype} ({value.layout}), which a safetensors "
                          "file for unroll does not hold")
        tensors[new_name] = value.detach().contiguous()
    if not tensors:
        raise Refused(f"{path}: no tensor has a name that begins with \"{prefix}\"")
    return tensors


def write(path, tensors):
    """Header and data; elements of 8 bytes first, then 4 ..., so that all are aligned."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, t in sorted(tensors.items(), key=lambda item: -item[1].element_size()):
        size = t.numel() * t.element_size()
        header[name] = {"dtype": FORMATS[t.dtype], "shape": list(t.shape),
                        "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    folder = os.path.dirname(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".import_pt-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            for name in header:
                if name != "__metadata__":
                    t = tensors[name]
                    file.write(ctypes.string_at(t.data_ptr(), t.numel() * t.element_size())
                               if t.numel() else b"")
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def show(tensors):
    width = max(map(len, tensors))
    for name, t in tensors.items():
        print(f"{name:<{width}}  {FORMATS[t.dtype]:<4}  ({', '.join(map(str, t.shape))})")
    bytes_ = sum(t.numel() * t.element_size() for t in tensors.values())
    print(f"{len(tensors)} tensors, {sum(t.numel() for t in tensors.values())} numbers, "
          f"{bytes_} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("output", nargs="?", help="safetensors file; without it, only the list")
    parser.add_argument("--prefix", default="", metavar="P",
                        help="only tensors whose names begin with P")
    parser.add_argument("--strip-prefix", default="", metavar="P",
                        help="cut P from the names that begin with it, e.g. module.")
    args = parser.parse_args()
    if sys.byteorder != "little":
        raise Refused("this machine is big-endian, safetensors files are not")
    state = state_dict_of(args.checkpoint, load(args.checkpoint))
    tensors = chosen(args.checkpoint, state, args.prefix, args.strip_prefix)
    if args.output:
        try:
            write(args.output, tensors)
        except OSError as error:
            raise Refused(f"{args.output}: cannot be written ({error.strerror})")
    show(tensors)


if __name__ == "__main__":
    try:
        import torch
    except ImportError:
        sys.exit("import_pt.py: this needs PyTorch (https://pytorch.org), which is not installed")
    FORMATS = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16",
               torch.bfloat16: "BF16", torch.int64: "I64", torch.int32: "I32", torch.int16: "I16",
               torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}
    try:
        main()
    except Refused as refusal:
        sys.exit(f"import_pt.py: {refusal}")
