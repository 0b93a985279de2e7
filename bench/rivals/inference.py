#!/usr/bin/env python3
"""Runtimes of trained models as contestants.

    bench/rivals/inference.py onnxruntime|openvino|ctranslate2 [--threads N] [--rounds N LINE ...]

BERT's encoder (encoders.py) by all three, recurrent layers and streams (recurrent.py) by the first two.
"""
import sys

import serve
serve.keep_memory()

import recurrent
import runtimes


def encoder(name, threads):
    def make(words):
        try:
            import encoders
        except ImportError as why:
            raise serve.Refused(f"{why.name} is not installed") from why
        return encoders.RUNTIMES[name](words, threads)
    return make


def main():
    name = sys.argv.pop(1)
    args = serve.arguments(__doc__)
    kinds = {"bert": encoder(name, args.threads)}
    if name in runtimes.BIND:
        bind = runtimes.BIND[name](args.threads)
        kinds |= {"layer": lambda words: recurrent.layer(words, bind),
                  "stream": lambda words: recurrent.stream(words, bind)}
    serve.serve(args, f"{name} {__import__(name).__version__.split('-')[0]}", kinds)


if __name__ == "__main__":
    main()
