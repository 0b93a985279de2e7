#!/usr/bin/env python3
"""CTranslate2 as a contestant: `decoding` of bench/decoding.c, by a Transformer of the same sizes with
random weights, in float32. Sentences and translations have exactly so many symbols.

Variants: `whole`, one batch, which all threads share; `halves`, a batch for each thread."""
import tempfile

import ctranslate2
from ctranslate2.specs import transformer_spec
import numpy

import serve


def shape(name, width, ffn, vocabulary):
    """Of the weight of a linear layer or of an embedding, by its name in the specification."""
    if "embeddings" in name or "projection" in name:
        return vocabulary, width
    if "ffn" in name:
        return (ffn, width) if "linear_0" in name else (width, ffn)
    crossed = "/attention/" in name  # q, k v, output; else q k v, output
    parts = {"linear_0": 1 if crossed else 3, "linear_1": 2 if crossed else 1, "linear_2": 1}
    return parts[name.split("/")[-2]] * width, width


def write_model(words, folder):
    layers, width = words.number("layers", 3), words.number("hidden", 256)
    vocabulary = words.number("vocabulary", 8000)
    sizes = width, words.number("ffn") or 4 * width, vocabulary
    random = numpy.random.default_rng(1)
    spec = transformer_spec.TransformerSpec.from_config((layers, layers), words.number("heads", 4),
                                                        pre_norm=False)

    def fill(name):
        if name.endswith("gamma"):
            return numpy.ones(width, numpy.float32)
        if name.endswith("beta"):
            return numpy.zeros(width, numpy.float32)
        rows, columns = shape(name, *sizes)
        if name.endswith("bias"):
            return numpy.zeros(rows, numpy.float32)
        bound = (6 / (rows + columns)) ** 0.5
        return random.uniform(-bound, bound, (rows, columns)).astype(numpy.float32)

    def visit(owner, name, value):
        last = name.split("/")[-1]
        if last in ("weight", "bias", "gamma", "beta"):
            setattr(owner, last, fill(name))

    spec._visit(visit)
    symbols = ["<unk>", "<s>", "</s>"] + [f"w{i}" for i in range(3, vocabulary)]
    spec.register_source_vocabulary(symbols)
    spec.register_target_vocabulary(symbols)
    spec.validate()
    spec.optimize(quantization="float32")
    spec.save(folder)


def decoding(words, threads):
    """decoding sentences= steps= beam= hidden= layers= [heads=] [ffn=] vocabulary="""
    count, steps = words.number("sentences", 1), words.number("steps", 20)
    halves = words.get("variant", "whole") == "halves"
    if halves and (threads == 1 or count == 1):
        raise serve.Refused("there is nothing to share")
    with tempfile.TemporaryDirectory() as folder:
        write_model(words, folder)
        translator = ctranslate2.Translator(folder, "cpu", compute_type="float32",
                                            inter_threads=threads if halves else 1,
                                            intra_threads=1 if halves else threads)
    vocabulary = words.number("vocabulary", 8000)
    numbers = [3 + i * i // 7 % (vocabulary - 3) for i in range(count * steps)]
    sentences = [[f"w{n}" for n in numbers[b * steps:(b + 1) * steps - 1]] + ["</s>"]
                 for b in range(count)]

    def run():
        written = translator.translate_batch(
            sentences, max_batch_size=-(-count // threads) if halves else 0,
            beam_size=words.number("beam", 1), length_penalty=0, disable_unk=True,
            min_decoding_length=steps, max_decoding_length=steps, return_scores=True)
        assert all(len(w.hypotheses[0]) == steps for w in written)
    return run


def main():
    args = serve.arguments(__doc__)
    serve.serve(args, "CTranslate2 " + ctranslate2.__version__,
                {"decoding": lambda words: decoding(words, args.threads)})


if __name__ == "__main__":
    main()
