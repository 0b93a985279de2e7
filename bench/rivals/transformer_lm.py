"""The Transformer language model in PyTorch, as bench/transformer_lm.c has it: pre-norm, learned positions, the
output layer tied to the embedding; one step of cross-entropy, clipping to norm 1, Adam.

Variants: `module`, nn.TransformerEncoder; `written`, the same layers over one product for q, k and v and
scaled_dot_product_attention; compile-... of either."""
import torch
from torch import nn
import torch.nn.functional as F

from translation import Attention


class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attention = Attention(width, heads)
        self.inner, self.outer = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norms = nn.ModuleList((nn.LayerNorm(width), nn.LayerNorm(width)))

    def forward(self, x):
        x = x + self.attention(self.norms[0](x), causal=True)
        return x + self.outer(F.relu(self.inner(self.norms[1](x))))


class LanguageModel(nn.Module):
    def __init__(self, words, written):
        super().__init__()
        width, layers = words.number("hidden", 256), words.number("layers", 6)
        heads, steps = words.number("heads", 4), words.number("steps", 64)
        self.embed = nn.Embedding(words.number("vocabulary", 8000), width)
        self.positions = nn.Parameter(0.02 * torch.randn(steps, width))
        self.norm, self.written = nn.LayerNorm(width), written
        if written:
            self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        else:
            layer = nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, batch_first=True,
                                               norm_first=True)
            self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
            self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(steps))

    def loss(self, ids, targets):
        x = self.embed(ids) + self.positions
        if self.written:
            for layer in self.layers:
                x = layer(x)
        else:
            x = self.layers(x, self.mask, is_causal=True)
        return F.cross_entropy(F.linear(self.norm(x).flatten(0, 1), self.embed.weight), targets)


def transformer_lm(words):
    """transformer_lm hidden= layers= [heads=] vocabulary= batch= steps="""
    variant = words.get("variant", "written")
    base = variant.removeprefix("compile-")
    model = LanguageModel(words, base == "written")
    shape = (words.number("batch", 4), words.number("steps", 64) + 1)
    text = torch.randint(words.number("vocabulary", 8000), shape)
    ids, targets = text[:, :-1].contiguous(), text[:, 1:].flatten()
    parameters = list(model.parameters())
    adam, loss = torch.optim.Adam(parameters, lr=1e-4, fused=True), model.loss
    if variant != base:
        loss = torch.compile(loss, dynamic=False)

    def run():
        adam.zero_grad(set_to_none=True)
        loss(ids, targets).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        adam.step()
    return run
