"""The encoder-decoder as a PyTorch module: what unroll's seq2seq model equals.

state_dict: encoder.embed.weight encoder.lstm.{weight_ih_l0,weight_hh_l0,bias_ih_l0,bias_hh_l0}
            decoder.embed.weight decoder.lstm.{...} decoder.fc.weight decoder.fc.bias

Shapes: questions (B, L), answers_in (B, T) of ids, answers start symbol first; logits (B, T, V).
Lengths are optional; without them every sequence has the full width.
"""
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def valid(lengths, steps):
    return torch.arange(steps)[None, :] < torch.as_tensor(lengths)[:, None]


class Encoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, embed_size)
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True)

    def forward(self, questions, lengths=None):
        """-> outputs (B, L, H), zero behind a sequence's end, and the last h and c, (1, B, H)."""
        x = self.embed(questions)
        if lengths is None:
            return self.lstm(x)
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        outputs, state = self.lstm(packed)
        outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
        return outputs, state


class Decoder(nn.Module):
    def __init__(self, vocab_size, embed_size, hidden_size, attention="dot", peeky=False):
        super().__init__()
        if attention not in ("dot", "none"):
            raise ValueError(f"attention is dot or none, not {attention}")
        if peeky and attention != "none":
            raise ValueError("peeky goes without attention only")
        self.attention, self.peeky = attention, peeky
        self.embed = nn.Embedding(vocab_size, embed_size)
        self.lstm = nn.LSTM(embed_size + (hidden_size if peeky else 0), hidden_size,
                            batch_first=True)
        wide = peeky or attention == "dot"
        self.fc = nn.Linear(hidden_size * (2 if wide else 1), vocab_size)

    def forward(self, answers_in, state, encoder_outputs, encoder_h, lengths=None):
        """-> logits (B, T, V), the state after the last step, attention weights (B, T, L) or None.

        encoder_h (B, H) is the encoder's last h; lengths are the questions'."""
        x = self.embed(answers_in)
        h_enc = encoder_h[:, None, :].expand(-1, x.shape[1], -1)
        if self.peeky:
            x = torch.cat([h_enc, x], dim=2)
        y, state = self.lstm(x, state)
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
    def __init__(self, vocab_size, embed_size=16, hidden_size=128, attention="dot", peeky=False,
                 decoder_start="h", answer_vocab_size=None):
        super().__init__()
        if decoder_start not in ("h", "hc"):
            raise ValueError(f"decoder_start is h or hc, not {decoder_start}")
        self.decoder_start = decoder_start
        self.encoder = Encoder(vocab_size, embed_size, hidden_size)
        self.decoder = Decoder(answer_vocab_size or vocab_size, embed_size, hidden_size, attention,
                               peeky)

    def encode(self, questions, lengths=None):
        """-> encoder outputs, encoder's last h (B, H), the decoder's first state."""
        outputs, (h, c) = self.encoder(questions, lengths)
        return outputs, h[0], (h, c if self.decoder_start == "hc" else torch.zeros_like(c))

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


def from_state_dict(state, config):
    """The module that a run's weights and configuration describe, loaded strictly."""
    encoder, decoder = state["encoder.embed.weight"], state["decoder.embed.weight"]
    model = Seq2Seq(encoder.shape[0], int(config.get("embed_size", encoder.shape[1])),
                    int(config.get("hidden_size", state["encoder.lstm.weight_hh_l0"].shape[1])),
                    config.get("attention", "dot"), bool(config.get("peeky", False)),
                    config.get("decoder_start", "h"), decoder.shape[0])
    model.load_state_dict(state, strict=True)
    return model.eval()
