"""BERT's pretraining in PyTorch, as bench/bert_pretraining.c has it: one step over one padded batch, both losses,
backward, Adam. Masked rows alone go through the vocabulary.

Variants: `module`, nn.TransformerEncoder with a padding mask; `written`, the same layers over one product for q, k
and v and scaled_dot_product_attention; compile-... of either."""
import torch
from torch import nn
import torch.nn.functional as F

from texts import pairs
from translation import Layer


class Bert(nn.Module):
    def __init__(self, words, written):
        super().__init__()
        width, layers, heads = (words.number(*x) for x in (("hidden", 128), ("layers", 2), ("heads", 2)))
        ffn, vocabulary = words.number("ffn", 256), words.number("vocabulary", 20256)
        self.words, self.segments = nn.Embedding(vocabulary, width), nn.Embedding(2, width)
        self.positions = nn.Parameter(0.02 * torch.randn(words.number("steps", 64), width))
        self.written = written
        if written:
            self.layers = nn.ModuleList(Layer(width, heads, ffn, False) for _ in range(layers))
        else:
            layer = nn.TransformerEncoderLayer(width, heads, ffn, 0.0, batch_first=True)
            self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.pooler, self.next = nn.Linear(width, width), nn.Linear(width, 2)
        self.transform, self.norm = nn.Linear(width, width), nn.LayerNorm(width)
        self.decoder = nn.Linear(width, vocabulary)

    def loss(self, ids, segments, padding, rows, targets, follows):
        x = self.words(ids) + self.segments(segments) + self.positions
        if self.written:
            mask = None if padding is None else ~padding[:, None, None, :]
            for layer in self.layers:
                x = layer(x, mask=mask)
        else:
            x = self.layers(x, src_key_padding_mask=padding)
        told = self.norm(F.relu(self.transform(x.flatten(0, 1)[rows])))
        return (F.cross_entropy(self.decoder(told), targets)
                + F.cross_entropy(self.next(torch.tanh(self.pooler(x[:, 0]))), follows))


def bert_pretraining(words):
    """bert_pretraining hidden= layers= [heads=] [ffn=] vocabulary= batch= steps= [ragged=1]"""
    variant = words.get("variant", "written")
    base = variant.removeprefix("compile-")
    model = Bert(words, base == "written")
    batch = {name: torch.from_numpy(x) for name, x in pairs(words).items()}
    padding = None if batch["there"].all() else ~batch["there"]
    parameters = list(model.parameters())
    adam, loss = torch.optim.Adam(parameters, lr=1e-4, fused=True), model.loss
    if variant != base:
        loss = torch.compile(loss, dynamic=False)

    def run():
        adam.zero_grad(set_to_none=True)
        loss(batch["ids"], batch["segments"], padding, batch["rows"], batch["targets"], batch["follows"]).backward()
        adam.step()
    return run
