/* train_seq2seq.c - unroll train seq2seq: encoder-decoders from pairs of question and answer. */
#include "train.h"

#include <string.h>

static const char *const attentions[] = {"none", "dot", NULL};
/* rnn is short for rnn_tanh; alone, --bidirectional means average. */
static const char *const cells[] = {"lstm",     "gru",          "rnn",           "rnn_tanh",
                                    "rnn_relu", "gru_original", "lstm_peephole", "lstm_layer_norm",
                                    NULL};
static const char *const directions[] = {" no", "concat", "average", "", NULL};
static const char *const inits[] = {"pytorch", "lecun", NULL};
static const char *const starts[] = {"h", "hc", NULL};
static const char *const orders[] = {" forward", "", "with-start", NULL};

extern const verb train_seq2seq_verb;

static const option options[] = {
    {"data", "FILE", OPTION_TEXT, OPTION_AT(data), .least = 1,
     .help = "What to learn: a file with a question and its answer on each line, a tab or _ "
             "between them, or builtin:dates, builtin:additions.",
     .standard = ""},
    {"valid", "FILE", OPTION_TEXT, OPTION_AT(valid), .least = 1,
     .help = "Pairs to measure accuracy with after every epoch; built-in data brings its own.",
     .standard = ""},
    {"size", "N", OPTION_SIZE, OPTION_AT(size), 1, 1e8,
     .help = "How many built-in pairs to train with.", .standard = "45000"},
    {"valid-size", "N", OPTION_SIZE, OPTION_AT(valid_size), 1, 1e8,
     .help = "How many built-in pairs to validate with.", .standard = "5000"},
    {"strip", NULL, OPTION_FLAG, OPTION_AT(strip),
     .help = "Drop the spaces around questions and answers, and let lengths differ.",
     .standard = ""},
    {"hidden", "N", OPTION_SIZE, OPTION_AT(hidden), 1, 16384,
     .help = "Units of each of the encoder's layers."},
    {"embed", "N", OPTION_SIZE, OPTION_AT(embed), 1, 16384,
     .help = "Numbers that stand for a character."},
    {"cell", "lstm|gru|rnn", OPTION_CHOICE, OPTION_AT(cell), .choices = cells,
     .help = "What encoder and decoder are made of. There are also rnn_relu (rnn is rnn_tanh), "
             "gru_original, with the reset gate before the product, lstm_peephole and "
             "lstm_layer_norm."},
    {"layers", "N", OPTION_SIZE, OPTION_AT(layers), 1, UR_MOST_LAYERS,
     .help = "Layers of the encoder."},
    {"decoder-layers", "N", OPTION_SIZE, OPTION_AT(decoder_layers), 1, UR_MOST_LAYERS,
     .help = "1: the decoder starts from the encoder's top layer; as many as the encoder: each "
             "layer starts from its own."},
    {"bidirectional", "[=concat|average]", OPTION_CHOICE, OPTION_AT(bidirectional),
     .choices = directions,
     .help = "The encoder reads from both ends. The decoder gets the mean of the two directions "
             "(average, also without a value) or both side by side, and is then twice as wide.",
     .standard = ""},
    {"proj", "P", OPTION_SIZE, OPTION_AT(proj), 1, 16383,
     .help = "The encoder's LSTM layers put out P numbers in place of their units, and the decoder "
             "is as wide as that.",
     .standard = "none"},
    {"no-bias", NULL, OPTION_FLAG, OPTION_AT(no_bias),
     .help = "Cells of encoder and decoder without biases.", .standard = ""},
    {"attention", "dot|none", OPTION_CHOICE, OPTION_AT(attention), .choices = attentions,
     .help = "Whether the decoder looks at every step of the encoder."},
    {"peeky", NULL, OPTION_FLAG, OPTION_AT(peeky),
     .help = "Every decoder step sees the encoder's last state; means --attention none.",
     .standard = ""},
    {"decoder-start", "h|hc", OPTION_CHOICE, OPTION_AT(decoder_start), .choices = starts,
     .help = "The decoder starts from the encoder's last h (and c = 0), or from h and c."},
    {"dropout", "P", OPTION_REAL, OPTION_AT(dropout), 0, 0.99,
     .help = "Part of the embeddings, of the decoder's output and of what goes from layer to layer "
             "that is dropped."},
    {"recurrent-dropout", "P", OPTION_REAL, OPTION_AT(recurrent_dropout), 0, 0.99,
     .help = "Part of what the recurrent products take that is dropped, the same units at all "
             "steps of a sequence."},
    {"zoneout", "P", OPTION_REAL, OPTION_AT(zoneout), 0, 0.99,
     .help = "Part of the units whose h stays as it was, drawn anew at every step. Not with "
             "--proj."},
    {"zoneout-c", "P", OPTION_REAL, OPTION_AT(zoneout_c), 0, 0.99,
     .help = "The same for c, for LSTM cells."},
    {"init", "pytorch|lecun", OPTION_CHOICE, OPTION_AT(init), .choices = inits,
     .help = "Where weights start: as PyTorch's modules do, or matrices N(0, 1/columns), biases 0 "
             "and embeddings N(0, 0.01^2)."},
    {"reverse-input", NULL, OPTION_FLAG, OPTION_AT(reverse_input),
     .help = "The encoder reads questions from their end.", .standard = ""},
    {"reverse-answer", "[=with-start]", OPTION_CHOICE, OPTION_AT(answer_order), .choices = orders,
     .help = "The decoder writes answers from their end. With =with-start the start symbol is "
             "turned around, too, which gives away an answer's last character: for comparisons "
             "alone, such a model cannot predict.",
     .standard = ""},
};

static void defaults(settings *s)
{
    const ur_seq2seq_config model = ur_seq2seq_defaults();
    s->hidden = model.hidden_size;
    s->embed = model.embed_size;
    s->layers = model.layers;
    s->decoder_layers = model.decoder_layers;
    s->dropout = (double)model.dropout;
    s->recurrent_dropout = (double)model.recurrent_dropout;
    s->zoneout = (double)model.zoneout_h;
    s->zoneout_c = (double)model.zoneout_c;
    s->attention = (int)model.attention;
    s->decoder_start = (int)model.decoder_start;
}

static ur_seq2seq_config model_of(const settings *s)
{
    ur_seq2seq_config config = ur_seq2seq_defaults();
    config.embed_size = s->embed;
    config.hidden_size = s->hidden;
    config.cell = cells[s->cell];
    if (strcmp(config.cell, "rnn") == 0)
        config.cell = "rnn_tanh";
    config.layers = s->layers;
    config.decoder_layers = s->decoder_layers;
    config.directions =
        directions[s->bidirectional][0] ? (ur_directions)s->bidirectional : UR_BOTH_AVERAGE;
    config.proj_size = s->proj;
    config.attention = s->peeky ? UR_ATTENTION_NONE : (ur_attention_kind)s->attention;
    config.peeky = s->peeky;
    config.decoder_start = (ur_decoder_start)s->decoder_start;
    config.dropout = (float)s->dropout;
    config.recurrent_dropout = (float)s->recurrent_dropout;
    config.zoneout_h = (float)s->zoneout;
    config.zoneout_c = (float)s->zoneout_c;
    config.no_bias = s->no_bias;
    config.init = (ur_initialisation)s->init;
    config.format.reverse_input = s->reverse_input;
    config.format.answer_order = (ur_answer_order)s->answer_order;
    return config;
}

/* Whether the model's options go together. */
static bool check_model(const settings *s)
{
    const ur_seq2seq_config config = model_of(s);
    ur_err err;
    if (ur_seq2seq_check(&config, &err) == UR_OK)
        return true;
    say_usage(&train_seq2seq_verb, "%s", err.text);
    return false;
}

static bool check(const settings *s)
{
    const verb *v = &train_seq2seq_verb;
    const char *valid = s->valid ? s->valid : s->data;
    if (!s->data)
        say_usage(v, "--data is missing: a file of pairs, builtin:dates or builtin:additions");
    else if (s->size && !is_builtin(s->data))
        say_usage(v, "--size is for built-in data; %s has the size that it has", s->data);
    else if (s->valid_size && !is_builtin(valid))
        say_usage(v, "--valid-size is for built-in data, not for %s", valid);
    else if (s->peeky && was_given(v, s, "attention") && s->attention != UR_ATTENTION_NONE)
        say_usage(v, "--peeky goes with --attention none alone: a peeky decoder sees the encoder's "
                     "last state in place of what attention would pick");
    else
        return check_model(s);
    return false;
}

static ur_status create(ur_context *context, const settings *s, ur_run_settings *how, ur_run **run,
                        ur_err *err)
{
    const ur_seq2seq_config config = model_of(s);
    how->size = s->size;
    how->valid_size = s->valid_size;
    how->strip = s->strip;
    return ur_run_create(context, s->out, how, "seq2seq", &config, run, err);
}

static const char *const kinds[] = {"seq2seq", NULL};
static const trainee seq2seq = {&train_seq2seq_verb, kinds, check, create};

static int run_train(const settings *s)
{
    return train_kind(&seq2seq, s);
}

static const char *const usage[] = {
    "train seq2seq --data FILE --out FOLDER [options]",
    "train seq2seq --out FOLDER --resume [--epochs N] [--max-steps N]", NULL};

static const char *const notes[] = {
    TRAIN_NOTE,
    "A file whose lines all have the same two widths is taken as it is: the spaces that fill it up "
    "are characters like any other. Of every other file the real lengths count.",
    NULL};

static const option_table own = OPTION_TABLE(options);
static const option_table *const tables[] = {&own, &train_options, NULL};

const verb train_seq2seq_verb = {
    .name = "train seq2seq",
    .summary = "teach a model from pairs of question and answer",
    .usage = usage,
    .purpose = "Trains an encoder-decoder over characters: it reads a question and writes an "
               "answer. The run's folder gets the model, its configuration, and a record of how "
               "the training went.",
    .example = "  $ unroll train seq2seq --data builtin:dates --out runs/dates \\\n"
               "        --reverse-input --epochs 8 --lr 1e-3 --clip 5\n"
               "  epoch 1/8  loss 1.2345  accuracy   0.12 %  12,345 sequences/s  4.1 s\n"
               "  ...\n"
               "  Q: september 27, 1994\n"
               "  T: 1994-09-27\n"
               "  A: 1994-09-27\n",
    .notes = notes,
    .see_also = "unroll help predict, unroll help eval, unroll help plot",
    .tables = tables,
    .defaults = defaults,
    .run = run_train,
};
