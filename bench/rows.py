"""What is measured: the rows of the table, the floating-point operations that each needs, and how the
machine's limit follows from what the run measured.

Operations count what the model itself needs, two for a multiply-add in a matrix product; gates,
losses and optimisers are left out. For N rows (steps of all sequences, no padding), a cell with G
gates, I inputs, H units and R outputs (H, or P where there is a projection):
    forward             N (2 G H (I + R) + 2 P H)
    forward + backward  three times that: gradients of inputs and of weights are as large each
Embedded or one-hot inputs are rows of a table: the product with them counts nothing.
"""
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
CELLS = tuple(GATES)

# hidden, batch, steps
SHAPES = ((64, 32, 100), (64, 256, 20), (128, 64, 50), (128, 256, 100), (256, 32, 35), (256, 128, 50),
          (512, 64, 20), (512, 32, 50), (1024, 32, 20))
# features, heads, batch, steps
ATTENTION = ((64, 4, 128, 16), (64, 4, 64, 64), (64, 4, 16, 512), (128, 4, 32, 64),
             (256, 4, 64, 40), (256, 8, 32, 128), (512, 8, 64, 16), (512, 8, 8, 512),
             (768, 12, 16, 64), (768, 12, 4, 512))
# rows of weights, columns: the recurrent products of LSTM, of GRU, of RNN, and an output layer
PRODUCTS = ((256, 64), (512, 128), (1024, 256), (2048, 512), (4096, 1024), (768, 256), (512, 512),
            (28, 256))
PRODUCT_ROWS = (6, 32, 128, 512)


class Row:
    """One line of the table.

    work: the line that every contestant gets. variants: {rival: the variants it tries}.
    limit: seconds that the machine's limit allows, as a function of measured(kind) where kind is a
    line for bench_unroll's limits and the result is their seconds at `limit_threads`.
    """

    def __init__(self, family, name, work, flops=0, variants=None, unit="s", **options):
        self.family, self.name, self.work, self.flops = family, name, work, flops
        self.variants, self.unit = variants or {}, unit
        self.limits = options.get("limits", ["flops"])
        self.limit = options.get("limit", lambda seconds: self.flops / 1e9 * seconds["flops"])
        self.one_core = options.get("one_core", False)
        self.scaling = options.get("scaling", False)


def lengths(batch, steps, ragged):
    """As bench_lengths in bench/common/serve.c."""
    if not ragged or batch == 1:
        return [steps] * batch
    return [1 + (7 * b + 3) % batch * (steps - 1) // (batch - 1) for b in range(batch)]


def layer_flops(cell, hidden, batch, steps, ragged=False, backward=False, proj=0):
    rows = sum(lengths(batch, steps, ragged))
    forward = rows * (2 * GATES[cell] * hidden * (hidden + (proj or hidden)) + 2 * proj * hidden)
    return 3 * forward if backward else forward


def layer_variants(cell, batch, ragged, forward):
    """Ours with a team on the whole batch, or cut into shards as the trainer does it (layers.c)."""
    kinds = ["packed", "time"] if ragged else ["time", "batch"]
    if cell == "lstm":
        kinds += ["mkl-packed"] if ragged else ["mkl-time"]
    variants = {"unroll": ["", "shards"] if batch > 16 else [""], "pytorch": kinds, "onednn": [""]}
    runtimes = ["", "padded"] if ragged else [""]
    return variants | ({"onnxruntime": runtimes, "openvino": runtimes} if forward else {})


def layer(family, cell, hidden, batch, steps, ragged=False, backward=False, proj=0):
    name = f"{family}/{cell}/H{hidden}-B{batch}-T{steps}{'/train' if backward else '/forward'}"
    work = (f"layer cell={cell} hidden={hidden} batch={batch} steps={steps}"
            + (f" proj={proj}" if proj else "") + (" ragged=1" if ragged else "")
            + (" backward=1" if backward else ""))
    return Row(family, name, work, layer_flops(cell, hidden, batch, steps, ragged, backward, proj),
               layer_variants(cell, batch, ragged, not backward and not proj))


def one_sequence(cell, hidden, steps, compiled):
    """A step needs the whole of W_hh before the next can begin: the limit is reading it T times, by
    both cores a half each, and the input's product at the FMA peak."""
    row = layer("batch1", cell, hidden, 1, steps)
    row.name = f"batch1/{cell}/H{hidden}-T{steps}"
    if compiled and steps <= 20 and cell != "lstm":
        row.variants["pytorch"].append("compile")
    gates, reading = GATES[cell], f"reading bytes={4 * GATES[cell] * hidden * hidden}"
    row.limits = ["flops", reading]
    row.limit = lambda seconds: (steps * seconds[reading]
                                 + 2e-9 * gates * hidden * hidden * steps * seconds["flops"])
    row.scaling = hidden == 512 and steps == 100
    return row


def attention_flops(dim, batch, steps, ragged=False, backward=False):
    """Four projections; scores and contexts; backward the projections twice, of the two products the
    gradients of both factors (the scores, computed again, are not counted)."""
    each = lengths(batch, steps, ragged)
    forward = sum(8 * t * dim * dim + 4 * t * t * dim for t in each)
    return 3 * forward if backward else forward


def attention(dim, heads, batch, steps, ragged=False, backward=False, compiled=False):
    family = "attention_ragged" if ragged else "attention"
    work = (f"attention dim={dim} heads={heads} batch={batch} steps={steps}"
            + (" ragged=1" if ragged else "") + (" backward=1" if backward else ""))
    kinds = ["module", "sdpa"] + (["rows"] if ragged else []) + (["compile-sdpa"] if compiled else [])
    return Row(family, f"{family}/D{dim}-h{heads}-B{batch}-T{steps}"
               f"{'/train' if backward else '/forward'}", work,
               attention_flops(dim, batch, steps, ragged, backward), {"pytorch": kinds, "jax": [""]})


def transformer_flops(width, layers, ffn, vocabulary, lengths):
    """Of a translator's training step: per position of the source 4 d^2 + 2 d f, of the target 8 d^2 + 2 d f
    and d V multiply-adds, the memory's keys and values counted with the target's though they are of
    the source; scores and contexts; three times that with backward."""
    per_pair = [((4 * width ** 2 + 2 * width * ffn) * layers * s
                 + ((6 * t + 2 * s) * width ** 2 + 2 * width * ffn * t) * layers + width * vocabulary * t
                 + 2 * width * layers * (s * s + t * t + t * s)) for s, t in lengths]
    return 3 * 2 * sum(per_pair)


def recurrent_flops(model, width, layers, embed, vocabulary, lengths):
    """GRUs: six products of d^2 a step, the first layer's input embed or embed + d wide; additive attention
    its two projections and, of every pair of positions, d for the score and d for the context."""
    gru = 3 * width * (embed + width + (layers - 1) * 2 * width)
    total = 0
    for s, t in lengths:
        total += s * gru + t * (gru + 3 * width * width) + width * vocabulary * t
        if model == "bahdanau":
            total += (s + t) * width * width + 2 * s * t * width
    return 3 * 2 * total


def translation(name, model, width, layers, vocabulary, steps, ragged=False, heads=4, ffn=0, compiled=False):
    """64 pairs; `steps` words and an end symbol on each side."""
    source = [n + 1 for n in lengths(64, steps, ragged)]
    pairs = list(zip(source, source[::-1]))
    if model == "transformer":
        flops = transformer_flops(width, layers, ffn or 4 * width, vocabulary, pairs)
    else:
        flops = recurrent_flops(model, width, layers, width, vocabulary, pairs)
    kinds = ["module", "written"] if model == "transformer" else ["module"]
    kinds += ["compile-" + k for k in kinds] if compiled else []
    work = (f"translation model={model} hidden={width} layers={layers} vocabulary={vocabulary} batch=64 "
            f"steps={steps}" + (f" heads={heads} ffn={ffn or 4 * width}" if model == "transformer" else "")
            + (" ragged=1" if ragged else ""))
    return Row("translation", f"translation/{name}", work, flops, {"pytorch": kinds, "jax": [""]},
               scaling=True)


def transformer_lm(width, layers, vocabulary, batch, steps, compiled=False):
    """Per token 12 d^2 multiply-adds a layer and d V for the logits; scores and contexts of the keys that
    are seen, half of them; three times that with backward."""
    per_token = 12 * width ** 2 * layers + width * vocabulary + width * layers * (steps + 1)
    kinds = ["module", "written"]
    kinds += ["compile-" + k for k in kinds] if compiled else []
    return Row("transformer_lm", f"transformer_lm/D{width}-B{batch}-T{steps}",
               f"transformer_lm hidden={width} layers={layers} vocabulary={vocabulary} batch={batch} "
               f"steps={steps}", 3 * 2 * per_token * batch * steps, {"pytorch": kinds, "jax": [""]},
               scaling=True)


def bert_pretraining(width, layers, ffn, vocabulary, batch, steps, ragged=False, compiled=False):
    """Of each pair 0.15 of its pieces go through the vocabulary. Per piece 4 d^2 + 2 d f multiply-adds a layer, of
    each pair its scores and contexts; a masked piece d^2 + d V; three times that with backward. `ragged`: pairs of
    5 pieces and more, which PyTorch pads."""
    each = [5 + i * 193 % batch * (steps - 4) // batch if ragged else steps for i in range(batch)]
    macs = sum((4 * width ** 2 + 2 * width * ffn) * layers * n + 2 * width * layers * n * n
               + max(1, int(0.15 * n + 0.5)) * width * (width + vocabulary) for n in each)
    kinds = ["module", "written"]
    kinds += ["compile-" + k for k in kinds] if compiled else []
    return Row("bert_pretraining", f"bert_pretraining/D{width}-B{batch}-T{steps}{'/ragged' if ragged else ''}",
               f"bert_pretraining hidden={width} layers={layers} heads=2 ffn={ffn} vocabulary={vocabulary} "
               f"batch={batch} steps={steps}" + (" ragged=1" if ragged else ""), 3 * 2 * macs,
               {"pytorch": kinds, "jax": [""]}, scaling=True)


def decoding(sentences, beam, width=256, layers=3, vocabulary=8000, steps=20):
    """Products per symbol of the source 12 d^2 a layer and 2 d^2 for the memory's keys and values, of each
    hypothesis 14 d^2 and the logits. One sentence reads the decoder's weights in every step, by
    all cores a part each, and that is its limit where it takes longer."""
    encoder = 14 * width ** 2 * layers
    decoder = 14 * width ** 2 * layers + width * vocabulary
    flops = 2 * steps * sentences * (encoder + beam * decoder)
    name = f"decoding/S{sentences}-beam{beam}"
    work = (f"decoding sentences={sentences} steps={steps} beam={beam} hidden={width} layers={layers} "
            f"heads=4 vocabulary={vocabulary}")
    options = {}
    if sentences == 1:
        reading = f"reading bytes={4 * decoder}"
        options = {"limits": ["flops", reading],
                   "limit": lambda seconds: max(flops / 1e9 * seconds["flops"],
                                                steps * seconds[reading])}
    return Row("decoding", name, work, flops, {"ctranslate2": ["whole", "halves"]}, scaling=True,
               **options)


def bert(name, width, layers, batch, shortest, longest, compiled=False):
    """Texts through an encoder of 12 heads: a token needs 4 d^2 + 2 d f multiply-adds in each layer, a text
    2 t^2 d for its attention."""
    steps = max(batch - 1, 1)
    each = [shortest + (2 * b * (longest - shortest) + steps) // (2 * steps) for b in range(batch)]
    flops = 2 * layers * (12 * width * width * sum(each) + 2 * width * sum(t * t for t in each))
    ways = [""] + (["single"] if shortest < longest else [])
    kinds = [kind + ("-" + way if way else "") for kind in ("module", "fast") for way in ways]
    kinds += ["compile-module"] if compiled else []
    work = (f"bert hidden={width} layers={layers} heads=12 ffn={4 * width} batch={batch} "
            f"shortest={shortest} longest={longest}")
    return Row("bert", f"bert/{name}", work, flops,
               {"pytorch": kinds, "jax": ways, "onnxruntime": ways, "openvino": ways,
                "ctranslate2-encoder": [""]}, scaling=True)


def language_model(cell, hidden=256, vocabulary=28, batch=32, steps=35):
    flops = 3 * batch * steps * (2 * GATES[cell] * hidden * hidden + 2 * hidden * vocabulary)
    kinds = ["time", "batch"] + (["mkl-time"] if cell == "lstm" else [])
    return Row("language_model", f"language_model/{cell}/H{hidden}-B{batch}-T{steps}",
               f"language_model cell={cell} hidden={hidden} vocabulary={vocabulary} batch={batch} "
               f"steps={steps}", flops, {"pytorch": kinds, "jax": [""]}, scaling=True)


def text_lstm(hidden=256, vocabulary=7000, batch=128, context=5):
    """An embedding as wide as the LSTM; the first step has no recurrent product; logits of the last step alone."""
    macs = batch * (4 * hidden * hidden * (2 * context - 1) + hidden * vocabulary)
    return Row("text_lstm", f"text_lstm/H{hidden}-B{batch}-V{vocabulary}",
               f"text_lstm hidden={hidden} vocabulary={vocabulary} batch={batch} context={context}", 3 * 2 * macs,
               {"pytorch": ["time", "batch", "mkl-time"]}, scaling=True)


def stream(cell, hidden):
    """A step reads all weights once, on one thread: the limit is one core reading that many bytes."""
    reading = f"reading bytes={4 * GATES[cell] * hidden * 2 * hidden}"
    kinds = ["time", "cell", "trace"] + (["mkl-time"] if cell == "lstm" else [])
    return Row("stream", f"stream/{cell}/H{hidden}", f"stream cell={cell} hidden={hidden}",
               variants={"pytorch": kinds, "onednn": [""], "onnxruntime": [""], "openvino": [""]}, limits=[reading],
               limit=lambda seconds: seconds[reading], one_core=True)


def product(m, n, k, one_core):
    family = "product" if one_core else "product2"
    return Row(family, f"{family}/M{m}-N{n}-K{k}", f"product m={m} n={n} k={k}", 2 * m * n * k,
               {"pytorch": ["mm-rows", "mm-columns"], "openblas": ["rows", "columns"]},
               one_core=one_core)


def date(data):
    """LSTMs of 128 units over question and answer, dot attention, an output layer of 2H features;
    everything three times with its backward, attention's two products five (scores once more)."""
    with open(data, encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file if line.strip()]
    question = lines[0].index("_")
    answer, hidden = len(lines[0]) - question - 1, 128
    symbols = len(set("".join(lines)))
    one = ((question + answer) * 8 * hidden * hidden * 3 + answer * 4 * hidden * symbols * 3
           + answer * question * 2 * hidden * (2 * 3))
    return Row("date", "date/epoch", f"date data={data} part=4", len(lines) * one,
               {"pytorch": ["batch"]}, scaling=True)


def all_rows(data, compiled=False):
    """compiled: with torch.compile among the variants where it has won."""
    rows = [date(data)] if data else []
    rows += [language_model(cell) for cell in CELLS] + [text_lstm()]
    for family, ragged in (("layer", False), ("ragged", True)):
        rows += [layer(family, cell, *shape, ragged, backward)
                 for cell in CELLS for shape in SHAPES for backward in (False, True)]
    rows += [attention(*shape, ragged, backward, compiled) for ragged in (False, True)
             for shape in ATTENTION for backward in (False, True)]
    rows += [translation("transformer/D256", "transformer", 256, 3, 8000, 19, compiled=compiled),
             translation("transformer/D256/ragged", "transformer", 256, 3, 8000, 38, True,
                         compiled=compiled),
             translation("transformer/D32", "transformer", 32, 2, 200, 9, ffn=64, compiled=compiled),
             translation("rnn/H32", "rnn", 32, 2, 200, 9, compiled=compiled),
             translation("bahdanau/H32", "bahdanau", 32, 2, 200, 9, compiled=compiled)]
    rows += [bert("base/B1-T128", 768, 12, 1, 128, 128, compiled),
             bert("base/B8-T128", 768, 12, 8, 128, 128, compiled),
             bert("base/B16-T5-128", 768, 12, 16, 5, 128, compiled),
             bert("minilm/B1-T16", 384, 6, 1, 16, 16, compiled),
             bert("minilm/B64-T5-40", 384, 6, 64, 5, 40, compiled)]
    rows += [transformer_lm(256, 6, 8000, 4, 64, compiled)]
    rows += [bert_pretraining(128, 2, 256, 20256, 512, 64, ragged, compiled) for ragged in (False, True)]
    rows += [decoding(sentences, beam) for sentences in (64, 1) for beam in (1, 4)]
    rows += [one_sequence(cell, hidden, steps, compiled)
             for cell in CELLS for hidden in (64, 128, 256, 512, 1024) for steps in (20, 100)]
    rows += [layer("projection", "lstm", 512, batch, steps, False, backward, 128)
             for batch, steps in ((32, 35), (128, 20)) for backward in (False, True)]
    rows += [stream(cell, hidden) for cell in CELLS for hidden in (64, 256, 1024)]
    rows += [product(m, n, k, True) for n, k in PRODUCTS for m in PRODUCT_ROWS]
    rows += [product(m, n, k, False) for n, k in PRODUCTS for m in (32, 512)]
    return rows
