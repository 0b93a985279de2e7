"""BERT's encoder in ONNX Runtime, OpenVINO and CTranslate2; PyTorch's is bert.py's.

The work is `bert hidden= layers= heads= ffn= batch= shortest= longest=`: ids to the last layer's outputs, with
random weights. Models are made by transformers and converted as each rival documents it; the files stay in
bench/.rivals/models (or $UNROLL_RIVAL_MODELS). See bench/README.md for what was tried.
"""
import os

import numpy as np

import runtimes
from bert import cached, hugging_face
from texts import lengths, padded, sizes_of


def export_onnx(words, path):
    import torch
    model = hugging_face(words)
    ids = torch.randint(1000, (2, 16))
    torch.onnx.export(model, (ids, torch.ones_like(ids)), path, input_names=["ids", "mask"],
                      output_names=["y"], dynamic_axes={n: {0: "b", 1: "t"} for n in ("ids", "mask", "y")},
                      opset_version=17, dynamo=False)


def onnxruntime(words, threads):
    """The graph that onnxruntime.transformers makes of it: fused attention, GELU, normalisation."""
    from onnxruntime.transformers import optimizer
    hidden, _, heads, _ = sizes_of(words)
    plain = cached(words, "onnx", lambda path: export_onnx(words, path))

    def optimise(path):
        better = optimizer.optimize_model(plain, model_type="bert", num_heads=heads, hidden_size=hidden,
                                          opt_level=1)
        better.save_model_to_file(path)
    session = runtimes.onnx_session(cached(words, "optimised.onnx", optimise), threads)
    names = [i.name for i in session.get_inputs()]

    def call(ids, mask):
        session.run(None, {n: mask if "mask" in n else ids for n in names})
    return per_batch(words, call)


def openvino(words, threads):
    """Shapes fixed where they are alike."""
    import openvino as ov
    import torch
    core = ov.Core()

    def convert(path):
        ids = torch.randint(1000, (2, 16))
        model = ov.convert_model(hugging_face(words), example_input=(ids, torch.ones_like(ids)))
        ov.save_model(model, path, compress_to_fp16=False)
    model = core.read_model(cached(words, "xml", convert))
    if words.get("variant") != "single" or words.number("batch", 1) == 1:
        shape = [words.number("batch", 1), max(lengths(words))]
        model.reshape({i: shape for i in range(len(model.inputs))})
    request = runtimes.openvino_request(core, model, threads)

    def call(ids, mask):
        request.infer([ids, mask][:len(model.inputs)], share_inputs=True, share_outputs=True)
    return per_batch(words, call)


def per_batch(words, call):
    """A pass: all texts padded (variant ""), or one by one (single)."""
    each = lengths(words)
    if words.get("variant") == "single":
        works = [(np.full((1, n), 7, np.int64), np.ones((1, n), np.int64)) for n in each]
    else:
        ids, mask = padded(each)
        works = [(ids, mask)]

    def run():
        for ids, mask in works:
            call(ids, mask)
    return run


def ctranslate2(words, threads):
    """Texts without their padding, which it leaves away itself."""
    import ctranslate2
    from ctranslate2.converters import TransformersConverter

    def convert(path):
        saved = path + ".huggingface"
        model = hugging_face(words)
        model.config.position_embedding_type = "absolute"  # its converter asks for what transformers 5 left out
        model.save_pretrained(saved)
        with open(os.path.join(saved, "vocab.txt"), "w", encoding="utf-8") as file:
            file.writelines(f"{t}\n" for t in ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
            file.writelines(f"w{i}\n" for i in range(5, model.config.vocab_size))
        with open(os.path.join(saved, "tokenizer_config.json"), "w", encoding="utf-8") as file:
            file.write('{"tokenizer_class": "BertTokenizer"}')
        TransformersConverter(saved).convert(path)
    encoder = ctranslate2.Encoder(cached(words, "ctranslate2", convert), device="cpu", intra_threads=threads,
                                  compute_type="float32")
    ids = [[7] * n for n in lengths(words)]

    def run():
        encoder.forward_batch(ids)
    return run


RUNTIMES = {"onnxruntime": onnxruntime, "openvino": openvino, "ctranslate2": ctranslate2}
