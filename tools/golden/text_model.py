"""The language model as a PyTorch module: what unroll's language_model equals.

state_dict: embed.weight unless one-hot, lstm.{weight_ih_l0, ...} (or gru, rnn), fc.weight, fc.bias.
ids (B, T) -> logits (B, T, V) and the state, a tuple for an LSTM.
"""
import torch
from torch import nn

from seq2seq import CELLS


class TextModel(nn.Module):
    def __init__(self, vocabulary, hidden_size, cell="lstm", embed_size=0, layers=1,
                 bidirectional=False, tied=False, dropout=0.0):
        super().__init__()
        self.vocabulary, self.embed_size = vocabulary, embed_size
        width = hidden_size * (2 if bidirectional else 1)
        if embed_size:
            self.embed = nn.Embedding(vocabulary, embed_size)
        self.name, kind, options = CELLS[cell]
        self.add_module(self.name, kind(
            embed_size or vocabulary, hidden_size, layers, batch_first=True,
            bidirectional=bidirectional, dropout=dropout if layers > 1 else 0.0, **options))
        self.fc = nn.Linear(width, vocabulary)
        self.drop = nn.Dropout(dropout)
        if tied:
            nn.init.uniform_(self.embed.weight, -0.1, 0.1)
            self.fc.weight = self.embed.weight

    def forward(self, ids, state=None):
        if self.embed_size:
            x = self.drop(self.embed(ids))
        else:
            x = nn.functional.one_hot(ids, self.vocabulary).to(self.fc.weight.dtype)
        y, state = getattr(self, self.name)(x, state)
        return self.fc(self.drop(y)), state


def detach(state):
    return tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
