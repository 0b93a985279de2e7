"""The encoder-decoder as a PyTorch module: what unroll's seq2seq model equals.

state_dict: encoder.embed.weight encoder.lstm.{weight_ih_l0,weight_hh_l0,bias_ih_l0,bias_hh_l0, ...}
            decoder.embed.weight decoder.lstm.{...} decoder.fc.weight decoder.fc.bias
with gru or rnn in place of lstm for the other cells.

Shapes: questions (B, L), answers_in (B, T) of ids, answers start symbol first; logits (B, T, V).
Lengths are optional; without them every sequence has the full width.
"""
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def valid(lengths, steps):
    return torch.arange(steps)[None, :] < torch.as_tensor(lengths)[:, None]


# Keys of a run's configuration that are parameters of Seq2Seq.
OPTIONS = ("embed_size", "hidden_size", "attention", "peeky", "decoder_start", "cell", "layers",
           "decoder_layers", "bidirectional", "proj_size")
CELLS = {"lstm": ("lstm", nn.LSTM, {}), "gru": ("gru", nn.GRU, {}),
         "rnn_tanh": ("rnn", nn.RNN, {}), "rnn_relu": ("rnn", nn.RNN, {"nonlinearity": "relu"})}


def add_rnn(module, cell, *sizes, **options):
    """Adds an nn.LSTM, nn.GRU or nn.RNN under its own name, `lstm`, `gru` or `rnn`."""
    name, kind, more = CELLS[cell]
    module.add_module(name, kind(*sizes, batch_first=True, **options, **more))
    module.rnn_name = name


def run_rnn(module, x, state=None):
    """-> outputs and (h, c); c is None for a cell without one."""
    rnn = getattr(module, module.rnn_name)
    if state is not None and module.rnn_name != "lstm":
        state = state[0]
    outputs, state = rnn(x, state)
    return outputs, state if isinstance(state, tuple) else (state, None)


class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, cell="lstm", layers=1,
                 bidirectional="no", proj_size=0):
        super().__init__()
        if bidirectional not in ("no", "concat", "average"):
            raise ValueError(f"bidirectional is no, concat or average, not {bidirectional}")
        self.bidirectional = bidirectional
        self.embed = nn.Embedding(vocab_size, embed_size)
        options = {"proj_size": proj_size} if proj_size else {}
        add_rnn(self, cell, embed_size, hidden_size, layers, bidirectional=bidirectional != "no",
                **options)
        self.width = (proj_size or hidden_size) * (2 if bidirectional == "concat" else 1)

    def join(self, forward, backward):
        if self.bidirectional == "average":
            return (forward + backward) / 2
        return torch.cat([forward, backward], dim=-1)

    def forward(self, questions, lengths=None):
        """-> outputs (B, L, W), zero behind a sequence's end, and every layer's last h and c,
        (layers, B, W); where there are two directions, of both: side by side or their mean."""
        x = self.embed(questions)
        if lengths is None:
            outputs, state = run_rnn(self, x)
        else:
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            outputs, state = run_rnn(self, packed)
            outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
        if self.bidirectional == "no":
            return outputs, state
        outputs = self.join(*outputs.chunk(2, dim=2))
        return outputs, tuple(s if s is None else self.join(s[0::2], s[1::2]) for s in state)


class Decoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, attention="dot", peeky=False,
                 cell="lstm", layers=1):
        super().__init__()
        if attention not in ("dot", "none"):
            raise ValueError(f"attention is dot or none, not {attention}")
        if peeky and attention != "none":
            raise ValueError("peeky goes without attention only")
        self.attention, self.peeky = attention, peeky
        self.embed = nn.Embedding(vocab_size, embed_size)
        add_rnn(self, cell, embed_size + (hidden_size if peeky else 0), hidden_size, layers)
        wide = peeky or attention == "dot"
        self.fc = nn.Linear(hidden_size * (2 if wide else 1), vocab_size)

    def forward(self, answers_in, state, encoder_outputs, encoder_h, lengths=None):
        """-> logits (B, T, V), the state after the last step, attention weights (B, T, L) or None.

        encoder_h (B, H) is the encoder's last h; lengths are the questions'."""
        x = self.embed(answers_in)
        h_enc = encoder_h[:, None, :].expand(-1, x.shape[1], -1)
        if self.peeky:
            x = torch.cat([h_enc, x], dim=2)
        y, state = run_rnn(self, x, state)
        weights = None
        if self.attention == "dot":
            scores = y @ encoder_outputs.transpose(1, 2)
            if lengths is not None:
                scores = scores.masked_fill(~valid(lengths, scores.shape[2])[:, None, :],
                                            float("-inf"))
            weights = scores.softmax(dim=2)
            y = torch.cat([weights @ encoder_outputs, y], dim=2)
        elif self.peeky:
            y = torch.cat([h_enc, y], dim=2)
        return self.fc(y), state, weights


class Seq2Seq(nn.Module):
    """The decoder is as wide as the encoder's outputs; it starts from the encoder's top layer if it
    has one layer, else from every layer."""

    def __init__(self, vocab_size, embed_size=16, hidden_size=128, attention="dot", peeky=False,
                 decoder_start="h", answer_vocab_size=None, cell="lstm", layers=1,
                 decoder_layers=1, bidirectional="no", proj_size=0):
        super().__init__()
        if decoder_start not in ("h", "hc"):
            raise ValueError(f"decoder_start is h or hc, not {decoder_start}")
        if decoder_layers not in (1, layers):
            raise ValueError("a decoder has one layer or as many as the encoder")
        self.decoder_start, self.decoder_layers = decoder_start, decoder_layers
        self.encoder = Encoder(vocab_size, embed_size, hidden_size, cell, layers, bidirectional,
                               proj_size)
        self.decoder = Decoder(answer_vocab_size or vocab_size, embed_size, self.encoder.width,
                               attention, peeky, cell, decoder_layers)

    def encode(self, questions, lengths=None):
        """-> encoder outputs, encoder's last h (B, W), the decoder's first state."""
        outputs, (h, c) = self.encoder(questions, lengths)
        start = h[-self.decoder_layers:].contiguous()
        if self.decoder_start == "h":
            return outputs, h[-1], (start, torch.zeros_like(start))
        return outputs, h[-1], (start, c[-self.decoder_layers:].contiguous())

    def forward(self, questions, answers_in, question_lengths=None):
        outputs, h, state = self.encode(questions, question_lengths)
        logits, _, _ = self.decoder(answers_in, state, outputs, h, question_lengths)
        return logits

    @torch.no_grad()
    def greedy(self, questions, start, steps, question_lengths=None):
        """-> ids (B, steps) decoded from the model's own output, and attention (B, steps, L)."""
        outputs, h, state = self.encode(questions, question_lengths)
        token = torch.full((len(questions), 1), start, dtype=torch.int64)
        ids, pictures = [], []
        for _ in range(steps):
            logits, state, weights = self.decoder(token, state, outputs, h, question_lengths)
            token = logits.argmax(dim=2)
            ids.append(token)
            pictures.append(weights)
        attention = torch.cat(pictures, dim=1) if pictures[0] is not None else None
        return torch.cat(ids, dim=1), attention


def loss_of(logits, targets, answer_lengths=None):
    """Mean cross-entropy over the valid positions of the whole batch."""
    if answer_lengths is not None:
        targets = targets.masked_fill(~valid(answer_lengths, targets.shape[1]), -100)
    return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100)


def options_of(state, config):
    """What Seq2Seq is made with, from a run's weights and configuration."""
    encoder, decoder = state["encoder.embed.weight"], state["decoder.embed.weight"]
    options = {"vocab_size": encoder.shape[0], "answer_vocab_size": decoder.shape[0],
               "embed_size": int(config.get("embed_size", encoder.shape[1]))}
    if "hidden_size" not in config:
        options["hidden_size"] = state["encoder.lstm.weight_ih_l0"].shape[0] // 4
    options.update((key, config[key]) for key in OPTIONS if key in config)
    return options


def from_state_dict(state, config):
    """The module that a run's weights and configuration describe, loaded strictly."""
    model = Seq2Seq(**options_of(state, config))
    model.load_state_dict(state, strict=True)
    return model.eval()
