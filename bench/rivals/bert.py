"""BERT's encoder with random weights, in PyTorch; what the rivals that convert it share."""
import os

import torch
from torch import nn

from serve import Refused
from texts import lengths, padded, sizes_of


class Outputs(nn.Module):
    """The last layer's outputs alone."""

    def __init__(self, model):
        super().__init__()
        self.model, self.config = model, model.config

    def forward(self, ids, mask=None):
        return self.model(input_ids=ids, attention_mask=mask)[0]

    def save_pretrained(self, folder):
        self.model.save_pretrained(folder)


def hugging_face(words):
    """transformers' BertModel, attention by scaled_dot_product_attention."""
    try:
        from transformers import BertConfig, BertModel
    except ImportError as why:
        raise Refused("transformers is not installed") from why
    hidden, layers, heads, ffn = sizes_of(words)
    config = BertConfig(hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
                        intermediate_size=ffn)
    return Outputs(BertModel(config, add_pooling_layer=False)).eval()


def cached(words, kind, make):
    """The path of a model in a rival's form, made by make(path) the first time."""
    folder = os.environ.get("UNROLL_RIVAL_MODELS", os.path.join("bench", ".rivals", "models"))
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "bert-" + "-".join(map(str, sizes_of(words))) + "." + kind)
    if not os.path.exists(path):
        make(path)
    return path


class FastPath(nn.Module):
    """nn.TransformerEncoder, whose layers are one fused operation each in inference; padding is left away
    by its nested tensors."""

    def __init__(self, words):
        super().__init__()
        hidden, layers, heads, ffn = sizes_of(words)
        self.words, self.positions = nn.Embedding(30522, hidden), nn.Embedding(512, hidden)
        self.segments, self.norm = nn.Embedding(2, hidden), nn.LayerNorm(hidden)
        layer = nn.TransformerEncoderLayer(hidden, heads, ffn, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=True)

    def forward(self, ids, mask=None):
        x = self.words(ids) + self.positions.weight[:ids.shape[1]] + self.segments.weight[0]
        padding = None if mask is None else mask == 0
        return self.encoder(self.norm(x), src_key_padding_mask=padding)


def bert(words):
    """bert hidden= layers= heads= ffn= batch= shortest= longest=; variants: module (transformers), fast
    (nn.TransformerEncoder), each also -single: one text after the other, and compile-: compiled."""
    variant, each = words.get("variant", "module"), lengths(words)
    base = variant.removeprefix("compile-").removesuffix("-single")
    model = FastPath(words).eval() if base == "fast" else hugging_face(words)
    call = torch.compile(model, dynamic=False) if variant.startswith("compile-") else model
    if variant.endswith("-single"):
        works = [(torch.full((1, n), 7), None) for n in each]
    else:
        ids, mask = (torch.from_numpy(x) for x in padded(each))
        works = [(ids, mask if min(each) < max(each) else None)]

    def run():
        with torch.inference_mode():
            for ids, mask in works:
                call(ids, mask)
    return run
