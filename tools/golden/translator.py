#!/usr/bin/env python3
"""Golden cases of the seq2seq model: logits, loss, gradients, and three steps of Adam."""
import torch

from common import seeded, write_case
from seq2seq import Seq2Seq, loss_of, valid

VOCAB, EMBED, HIDDEN, BATCH, QUESTION, ANSWER, START = 13, 6, 10, 7, 7, 4, 5
LR, STEPS = 1e-2, 3


def seq2seq_case(name, seed, clip=5.0, ragged=False, hidden=HIDDEN, **options):
    g = seeded(seed)
    weights = {n: p.detach().clone()
               for n, p in Seq2Seq(VOCAB, EMBED, hidden, **options).named_parameters()}
    questions = torch.randint(0, VOCAB, (BATCH, QUESTION), generator=g)
    answers = torch.randint(0, VOCAB, (BATCH, ANSWER + 1), generator=g)
    answers[:, 0] = START
    data, question_lengths, answer_lengths = {}, None, None
    if ragged:
        question_lengths, answer_lengths = [3, 7, 1, 5, 7, 2, 4], [4, 1, 2, 4, 3, 2, 1]
        questions *= valid(question_lengths, QUESTION)
        answers *= valid([n + 1 for n in answer_lengths], ANSWER + 1)
        data = {"question_lengths": torch.tensor(question_lengths),
                "answer_lengths": torch.tensor(answer_lengths)}
    answers_in, targets = answers[:, :-1], answers[:, 1:]
    data.update(questions=questions, answers=answers)

    def compute(dtype):
        model = Seq2Seq(VOCAB, EMBED, hidden, **options).to(dtype)
        model.load_state_dict({n: w.to(dtype) for n, w in weights.items()})
        optimizer = torch.optim.Adam(model.parameters(), lr=LR)
        out = dict(data, **weights)
        losses, norms = [], []
        for step in range(STEPS):
            optimizer.zero_grad()
            logits = model(questions, answers_in, question_lengths)
            loss = loss_of(logits, targets, answer_lengths)
            loss.backward()
            if step == 0:
                if ragged:
                    logits = logits * valid(answer_lengths, ANSWER)[:, :, None]
                out.update(logits=logits.detach(), loss=loss.detach())
                out.update({"grad." + n: p.grad.clone() for n, p in model.named_parameters()})
            norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), clip))
            optimizer.step()
            losses.append(loss.detach())
        out.update(losses=torch.stack(losses), norms=torch.stack(norms))
        out.update({"after." + n: p.detach() for n, p in model.named_parameters()})
        return out

    write_case(name, seed, dict(
        {"vocab_size": VOCAB, "embed_size": EMBED, "hidden_size": hidden, "attention": "dot",
         "peeky": False, "decoder_start": "h", "start": START, "lr": LR, "clip": clip,
         "steps": STEPS}, **options), compute)


def main():
    seq2seq_case("seq2seq_dot", 31)
    seq2seq_case("seq2seq_none", 32, attention="none")
    seq2seq_case("seq2seq_peeky", 33, attention="none", peeky=True)
    seq2seq_case("seq2seq_hc", 34, decoder_start="hc")
    seq2seq_case("seq2seq_ragged", 35, clip=0.25, ragged=True)
    small = {"hidden": 4, "ragged": True}
    seq2seq_case("seq2seq_gru", 36, cell="gru", **small)
    seq2seq_case("seq2seq_gru_average", 37, cell="gru", layers=2, bidirectional="average", **small)
    seq2seq_case("seq2seq_lstm_average", 38, layers=2, bidirectional="average", **small)
    seq2seq_case("seq2seq_gru_deep", 39, cell="gru", layers=2, decoder_layers=2, **small)
    seq2seq_case("seq2seq_lstm_deep", 40, layers=2, decoder_layers=2, bidirectional="concat",
                 decoder_start="hc", **small)
    seq2seq_case("seq2seq_rnn_peeky", 41, cell="rnn_relu", layers=2, decoder_layers=2,
                 bidirectional="average", attention="none", peeky=True, **small)
    seq2seq_case("seq2seq_proj", 42, layers=2, bidirectional="concat", proj_size=3, **small)


if __name__ == "__main__":
    main()
