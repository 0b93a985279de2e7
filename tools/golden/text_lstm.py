"""The next-word model as a PyTorch module: what unroll's text_lstm equals.

state_dict: embed.weight (unless one-hot)
            layers.N.lstm.{weight_ih_l0,weight_hh_l0,bias_ih_l0,bias_hh_l0}
            layers.N.fc.weight layers.N.fc.bias

Shapes: words (B, n) of ids, the word after them (B); logits (B, V). With several layers, every layer
after the first reads the logits of the one before beside its h, at every step: V + H features.
"""
import torch
from torch import nn
from torch.nn import functional as F


class Layer(nn.Module):
    def __init__(self, input_size, hidden_size, vocab_size, output_from="hidden"):
        super().__init__()
        if output_from not in ("hidden", "gate"):
            raise ValueError(f"output_from is hidden or gate, not {output_from}")
        self.output_from = output_from
        self.lstm = nn.LSTM(input_size, hidden_size, batch_first=True)
        self.fc = nn.Linear(hidden_size, vocab_size)

    def gate(self, x, h, h0):
        """The output gate of every step (B, n, H), which nn.LSTM keeps to itself."""
        before = torch.cat([h0.transpose(0, 1), h[:, :-1]], dim=1)
        w, H = self.lstm, self.lstm.hidden_size
        return torch.sigmoid(F.linear(x, w.weight_ih_l0[3 * H:], w.bias_ih_l0[3 * H:]) +
                             F.linear(before, w.weight_hh_l0[3 * H:], w.bias_hh_l0[3 * H:]))

    def forward(self, x, state, last):
        """-> logits of the last step (B, V), or of all (B, n, V); h of all steps; the last state."""
        h, end = self.lstm(x, state)
        v = h if self.output_from == "hidden" else self.gate(x, h, state[0])
        return self.fc(v[:, -1] if last else v), h, end


class TextLSTM(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, layers=1, output_from="hidden",
                 bias_init="uniform"):
        super().__init__()
        if bias_init not in ("uniform", "one"):
            raise ValueError(f"bias_init is uniform or one, not {bias_init}")
        self.vocab_size, self.hidden_size = vocab_size, hidden_size
        self.embed = nn.Embedding(vocab_size, embed_size) if embed_size else None
        widths = [embed_size or vocab_size] + [vocab_size + hidden_size] * (layers - 1)
        self.layers = nn.ModuleList(Layer(w, hidden_size, vocab_size, output_from)
                                    for w in widths)
        for name, parameter in self.named_parameters():
            if bias_init == "one" and "bias" in name:
                nn.init.ones_(parameter)

    def zeros(self, batch):
        """Every layer's h and c: (L, B, H) each."""
        like = self.layers[0].fc.weight
        shape = (len(self.layers), batch, self.hidden_size)
        return like.new_zeros(shape), like.new_zeros(shape)

    def forward(self, words, state=None):
        """-> logits (B, V) and every layer's state after the last step, detached."""
        like = self.layers[0].fc.weight
        x = self.embed(words) if self.embed is not None else \
            F.one_hot(words, self.vocab_size).to(like.dtype)
        h0, c0 = state if state is not None else self.zeros(len(words))
        ends = []
        for number, layer in enumerate(self.layers):
            top = number + 1 == len(self.layers)
            start = (h0[number:number + 1].contiguous(), c0[number:number + 1].contiguous())
            logits, h, end = layer(x, start, top)
            ends.append([part.detach() for part in end])
            if not top:
                x = torch.cat([logits, h], dim=2)
        return logits, tuple(torch.cat(part) for part in zip(*ends))


class States:
    """What every example's layers ended with the last time, zeros at first; of one layer nothing is
    kept."""

    def __init__(self, model, examples):
        self.kept = model.zeros(examples) if len(model.layers) > 1 else None

    def of(self, items):
        return None if self.kept is None else tuple(part[:, items] for part in self.kept)

    def keep(self, items, state):
        for part, new in zip(self.kept or (), state):
            part[:, items] = new
