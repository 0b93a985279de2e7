/* train.c - unroll train: starts a run or goes on with one. */
#include "progress.h"
#include "signals.h"

#include <string.h>

static const char *const optimizers[] = {"adam", "sgd", NULL};
static const char *const attentions[] = {"none", "dot", NULL};
/* rnn is short for rnn_tanh; alone, --bidirectional means average. */
static const char *const cells[] = {"lstm",     "gru",          "rnn",           "rnn_tanh",
                                    "rnn_relu", "gru_original", "lstm_peephole", NULL};
static const char *const directions[] = {" no", "concat", "average", "", NULL};
static const char *const starts[] = {"h", "hc", NULL};
static const char *const orders[] = {" forward", "", "with-start", NULL};

static const option options[] = {
    {"data", "FILE", OPTION_TEXT, OPTION_AT(data), .least = 1,
     .help = "What to learn: a file with a question and its answer on each line, a tab or _ "
             "between them, or builtin:dates, builtin:additions.",
     .standard = ""},
    {"valid", "FILE", OPTION_TEXT, OPTION_AT(valid), .least = 1,
     .help = "Pairs to measure accuracy with after every epoch; built-in data brings its own.",
     .standard = ""},
    {"out", "FOLDER", OPTION_TEXT, OPTION_AT(out), .least = 1,
     .help = "The run's folder, which is made.", .standard = ""},
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
             "gru_original, with the reset gate before the product, and lstm_peephole."},
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
    {"attention", "dot|none", OPTION_CHOICE, OPTION_AT(attention), .choices = attentions,
     .help = "Whether the decoder looks at every step of the encoder."},
    {"peeky", NULL, OPTION_FLAG, OPTION_AT(peeky),
     .help = "Every decoder step sees the encoder's last state; means --attention none.",
     .standard = ""},
    {"decoder-start", "h|hc", OPTION_CHOICE, OPTION_AT(decoder_start), .choices = starts,
     .help = "The decoder starts from the encoder's last h (and c = 0), or from h and c."},
    {"reverse-input", NULL, OPTION_FLAG, OPTION_AT(reverse_input),
     .help = "The encoder reads questions from their end.", .standard = ""},
    {"reverse-answer", "[=with-start]", OPTION_CHOICE, OPTION_AT(answer_order), .choices = orders,
     .help = "The decoder writes answers from their end. With =with-start the start symbol is "
             "turned around, too, which gives away an answer's last character: for comparisons "
             "alone, such a model cannot predict.",
     .standard = ""},
    {"batch", "N", OPTION_SIZE, OPTION_AT(batch), 1, 1e6, .help = "Pairs per step."},
    {"epochs", "N", OPTION_SIZE, OPTION_AT(epochs), 1, 1e6, .help = "Times through the data."},
    {"max-steps", "N", OPTION_SIZE, OPTION_AT(max_steps), 1, 1e9,
     .help = "Stop after this many steps.", .standard = "no limit"},
    {"optimizer", "adam|sgd", OPTION_CHOICE, OPTION_AT(optimizer), .choices = optimizers,
     .help = "How weights follow gradients."},
    {"lr", "X", OPTION_REAL, OPTION_AT(lr), 0, 1000, OPEN_LEAST, .help = "Learning rate."},
    {"momentum", "X", OPTION_REAL, OPTION_AT(momentum), 0, 1, OPEN_MOST,
     .help = "Momentum of --optimizer sgd."},
    {"weight-decay", "X", OPTION_REAL, OPTION_AT(weight_decay), 0, 1000,
     .help = "L2 penalty, added to the gradient."},
    {"clip", "X", OPTION_REAL, OPTION_AT(clip), 0, 1e9,
     .help = "Largest norm of the gradient; 0 for no limit."},
    {"dropout", "P", OPTION_REAL, OPTION_AT(dropout), 0, 0.99,
     .help = "Part of the embeddings, of the decoder's output and of what goes from layer to layer "
             "that is dropped."},
    {"seed", "N", OPTION_SEED, OPTION_AT(seed),
     .help = "Of everything random. Equal seeds give equal models, to the last bit."},
    {"resume", NULL, OPTION_FLAG, OPTION_AT(resume),
     .help = "Go on with the run in --out. Beside it only --epochs, --max-steps, --threads, "
             "--quiet and --json can be given.",
     .standard = ""},
    OPTION_THREADS,
    OPTION_QUIET,
    OPTION_JSON("Print an object per epoch on standard output."),
    OPTION_HELP,
};

static const char *const resumable[] = {"out",    "epochs", "max-steps", "threads",
                                        "resume", "quiet",  "json"};

/* Everything else is in the run's configuration, which a second opinion would contradict. */
static bool check_resume(const settings *s)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        bool allowed = !(s->given >> i & 1);
        for (size_t j = 0; j < sizeof resumable / sizeof *resumable; j++)
            allowed = allowed || strcmp(options[i].name, resumable[j]) == 0;
        if (!allowed) {
            say_usage(&train_verb,
                      "--%s does not go with --resume: the run goes on as its config.json says",
                      options[i].name);
            return false;
        }
    }
    return true;
}

static bool is_builtin(const char *data)
{
    return strncmp(data, "builtin:", 8) == 0;
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
    say_usage(&train_verb, "%s", err.text);
    return false;
}

static bool check_new(const settings *s)
{
    const verb *v = &train_verb;
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
    else if (s->momentum > 0 && s->optimizer != UR_SGD)
        say_usage(v, "--momentum belongs to --optimizer sgd; Adam has a momentum of its own");
    else
        return check_model(s);
    return false;
}

static bool check(const settings *s)
{
    const verb *v = &train_verb;
    if (s->n_arguments == 0)
        say_usage(v, "what to train is missing: unroll train seq2seq ...");
    else if (strcmp(s->arguments[0], "seq2seq") != 0)
        say_usage(v, "unknown model '%s'; there is: seq2seq", s->arguments[0]);
    else if (s->n_arguments > 1)
        say_usage(v, "'%s' is one argument too many", s->arguments[1]);
    else if (!s->out)
        say_usage(v, "--out is missing: the folder of the run");
    else
        return s->resume ? check_resume(s) : check_new(s);
    return false;
}

static ur_status create(ur_context *context, const settings *s, ur_run **run, ur_err *err)
{
    ur_run_settings how = {.data = s->data,
                           .valid = s->valid,
                           .size = s->size,
                           .valid_size = s->valid_size,
                           .strip = s->strip,
                           .train = ur_train_defaults()};
    how.train.batch = s->batch;
    how.train.epochs = s->epochs;
    how.train.max_steps = s->max_steps;
    how.train.optimizer = (ur_optimizer)s->optimizer;
    how.train.lr = s->lr;
    how.train.momentum = s->momentum;
    how.train.weight_decay = s->weight_decay;
    how.train.clip = s->clip;
    how.train.seed = s->seed;
    const ur_seq2seq_config config = model_of(s);
    return ur_run_create(context, s->out, &how, "seq2seq", &config, run, err);
}

static ur_status open_run(ur_context *context, const settings *s, ur_run **run, ur_err *err)
{
    if (!s->resume)
        return create(context, s, run, err);
    return ur_run_resume(context, s->out, was_given(&train_verb, s, "epochs") ? s->epochs : 0,
                         s->max_steps, run, err);
}

static void say_start(ur_context *context, ur_run *run)
{
    char pairs[GROUPED], valid[GROUPED], weights[GROUPED];
    const ur_pairs *validation = ur_run_valid_data(run);
    int threads = ur_context_threads(context);
    fprintf(stderr, "%s pairs to learn, %s to validate; %zu symbols, %s weights; %s, %d thread%s\n",
            grouped(ur_pairs_count(ur_run_train_data(run)), pairs),
            grouped(validation ? ur_pairs_count(validation) : 0, valid),
            ur_vocabulary_size(ur_run_vocabulary(run)),
            grouped(ur_params_weights(ur_run_model(run)->params), weights), ur_context_isa(context),
            threads, threads == 1 ? "" : "s");
}

static int say_interrupted(const settings *s, size_t step)
{
    char limit[40] = "";
    if (s->max_steps)
        snprintf(limit, sizeof limit, " --max-steps %zu", s->max_steps);
    say("interrupted after step %zu; to go on: unroll train seq2seq --out %s --resume%s", step,
        s->out, limit);
    return CODE_INTERRUPTED;
}

static int train(ur_context *context, const settings *s, ur_run *run)
{
    ur_err err;
    progress p = progress_start(s, ur_run_settings_of(run));
    ur_run_hooks hooks = progress_hooks(&p);
    if (!s->quiet)
        say_start(context, run);
    catch_signals();
    ur_status status = ur_run_train(run, &hooks, &err);
    progress_clear(&p);
    if (status == UR_INTERRUPTED)
        return say_interrupted(s, p.step);
    if (status != UR_OK)
        return say_error(&err);
    if (s->quiet)
        return CODE_OK;
    if (p.evaluated)
        fprintf(stderr, "trained in %.1f s; the model is in %s\n", p.metrics.seconds, s->out);
    else
        say("%s has had its %zu epochs already; --epochs asks for more", s->out, p.epochs);
    return s->json ? CODE_OK : print_samples(context, run, 3);
}

static int run_train(const settings *s)
{
    if (!check(s))
        return CODE_USAGE;
    int code;
    ur_run *run;
    ur_err err;
    ur_context *context = open_context(s->threads, &code);
    if (!context)
        return code;
    if (open_run(context, s, &run, &err) != UR_OK) {
        code = say_error(&err);
    } else {
        code = train(context, s, run);
        ur_run_free(run);
    }
    ur_context_free(context);
    return code;
}

static const char *const usage[] = {
    "train seq2seq --data FILE --out FOLDER [options]",
    "train seq2seq --out FOLDER --resume [--epochs N] [--max-steps N]", NULL};

static const char *const notes[] = {
    "After every epoch the run holds the model and a checkpoint. Ctrl-C finishes the step, saves "
    "and exits with 130; --resume then goes on, and the model becomes what it would have become.",
    "A file whose lines all have the same two widths is taken as it is: the spaces that fill it up "
    "are characters like any other. Of every other file the real lengths count.",
    NULL};

const verb train_verb = {
    .name = "train",
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
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .run = run_train,
};
