/* train_lm.c - unroll train lm: language models from a text file. */
#include "samples_text.h"
#include "train.h"
#include "train_text_lstm.h"

#include <string.h>

/* rnn is short for rnn_tanh. */
static const char *const cells[] = {"lstm",     "gru",          "rnn",           "rnn_tanh",
                                    "rnn_relu", "gru_original", "lstm_peephole", "lstm_layer_norm",
                                    NULL};
static const char *const tokenizers[] = {"char", "word", "word-punct", NULL};
static const char *const samplings[] = {"sequential", "random", NULL};

extern const verb train_lm_verb;

static const option options[] = {
    {"data", "FILE", OPTION_TEXT, OPTION_AT(data), .least = 1, .help = "The text to learn, UTF-8.",
     .standard = ""},
    {"valid", "FILE", OPTION_TEXT, OPTION_AT(valid), .least = 1,
     .help = "A text to measure perplexity on after every epoch, read from start to end.",
     .standard = ""},
    {"valid-split", "F", OPTION_REAL, OPTION_AT(valid_split), 0, 1, OPEN_LEAST | OPEN_MOST,
     .help =
         "Measure perplexity on this part of --data, from its end, in place of a file; the rest "
         "is learned.",
     .standard = ""},
    {"tokenizer", "char|word|word-punct", OPTION_CHOICE, OPTION_AT(tokenizer),
     .choices = tokenizers,
     .help = "What a token is: a character, what stands between white space, or words and "
             "punctuation apart. With words the end of a line is a token, too."},
    {"lower", NULL, OPTION_FLAG, OPTION_AT(lower), .help = "Lower case.", .standard = ""},
    {"letters-only", NULL, OPTION_FLAG, OPTION_AT(letters_only),
     .help =
         "In each line runs of anything but A-Z and a-z become one space, none at its ends; ends "
         "of lines disappear.",
     .standard = ""},
    {"max-tokens", "N", OPTION_SIZE, OPTION_AT(max_tokens), 2, 1e12,
     .help = "Learn the first N tokens alone; the vocabulary is that of the whole text.",
     .standard = "all"},
    {"min-freq", "N", OPTION_SIZE, OPTION_AT(min_freq), 1, 1e9,
     .help = "Tokens that come up less often are <unk>.", .standard = "1"},
    {"max-size", "N", OPTION_SIZE, OPTION_AT(max_size), 1, 4e6,
     .help = "Only the N most frequent tokens; others are <unk>.", .standard = "no limit"},
    {"cell", "lstm|gru|rnn", OPTION_CHOICE, OPTION_AT(cell), .choices = cells,
     .help =
         "What the layers are made of. There are also rnn_relu (rnn is rnn_tanh), gru_original, "
         "lstm_peephole and lstm_layer_norm."},
    {"hidden", "N", OPTION_SIZE, OPTION_AT(hidden), 1, 16384, .help = "Units of each layer."},
    {"layers", "N", OPTION_SIZE, OPTION_AT(layers), 1, UR_MOST_LAYERS, .help = "Layers."},
    {"bidirectional", NULL, OPTION_FLAG, OPTION_AT(both),
     .help = "Read from both ends: a comparison, for such a model sees what it is to predict and "
             "cannot generate.",
     .standard = ""},
    {"embed", "N", OPTION_SIZE, OPTION_AT(embed), 1, 16384,
     .help =
         "Numbers that stand for a token. Without it characters are one-hot rows, and words get as "
         "many numbers as there are units.",
     .standard = ""},
    {"one-hot", NULL, OPTION_FLAG, OPTION_AT(one_hot),
     .help = "No embedding: a token is a row of zeros with one 1.", .standard = ""},
    {"tied", NULL, OPTION_FLAG, OPTION_AT(tied),
     .help = "The output layer's weights are the embedding's.", .standard = ""},
    {"dropout", "P", OPTION_REAL, OPTION_AT(dropout), 0, 0.99,
     .help = "Part of the embeddings, of what goes from layer to layer and of the last layer's "
             "output that is dropped."},
    {"bptt", "N", OPTION_SIZE, OPTION_AT(bptt), 1, 1e6,
     .help = "Steps of a window, through which gradients flow."},
    {"sampling", "sequential|random", OPTION_CHOICE, OPTION_AT(sampling), .choices = samplings,
     .help =
         "sequential: --batch streams are read side by side, their states carried from window to "
         "window. random: windows in any order, states beginning anew."},
    {"keep-tail", NULL, OPTION_FLAG, OPTION_AT(keep_tail),
     .help = "Also learn the last batch of an epoch, which is shorter or smaller.", .standard = ""},
    {"sample-prompt", "TEXT", OPTION_TEXT, OPTION_AT(prompt),
     .help = "What the trained model goes on from, to show what it writes.",
     .standard = "the text's beginning"},
};

static void defaults(settings *s)
{
    const ur_language_model_config model = ur_language_model_defaults();
    s->hidden = model.hidden_size;
    s->layers = model.layers;
    s->bptt = model.bptt;
    s->batch = 32;
    s->epochs = 20;
    s->lr = 2e-3;
    s->clip = 1;
}

/* Characters, unless something else was asked for; the words before a next word are words. */
static ur_tokenizer tokenizer_of(const settings *s)
{
    if (s->context && !was_given(&train_lm_verb, s, "tokenizer"))
        return UR_WORDS;
    return (ur_tokenizer)s->tokenizer;
}

/* Characters are one-hot rows and words embedded, unless something else was asked for. */
static size_t embedding_of(const settings *s)
{
    if (s->one_hot || s->embed)
        return s->embed;
    if (s->tied)
        return s->both ? 2 * s->hidden : s->hidden;
    return tokenizer_of(s) == UR_CHARACTERS ? 0 : s->hidden;
}

static ur_language_model_config model_of(const settings *s)
{
    ur_language_model_config config = ur_language_model_defaults();
    config.cell = strcmp(cells[s->cell], "rnn") == 0 ? "rnn_tanh" : cells[s->cell];
    config.embed_size = embedding_of(s);
    config.hidden_size = s->hidden;
    config.layers = s->layers;
    config.bidirectional = s->both;
    config.tied = s->tied;
    config.dropout = (float)s->dropout;
    config.bptt = s->bptt;
    config.sampling = (ur_sampling)s->sampling;
    config.keep_tail = s->keep_tail;
    config.text.options = ur_text_defaults(tokenizer_of(s), s->letters_only);
    config.text.options.lower = s->lower;
    config.text.min_freq = s->min_freq;
    config.text.max_size = s->max_size;
    config.text.max_tokens = s->max_tokens;
    config.text.valid_split = s->valid_split;
    return config;
}

static bool check(const settings *s)
{
    const verb *v = &train_lm_verb;
    const ur_language_model_config config = model_of(s);
    ur_err err;
    if (!s->data)
        say_usage(v, "--data is missing: a text file");
    else if (is_builtin(s->data))
        say_usage(v, "%s are pairs for unroll train seq2seq; a language model learns from a text",
                  s->data);
    else if (s->valid && s->valid_split > 0)
        say_usage(v,
                  "--valid and --valid-split are two ways to say what perplexity is measured on");
    else if (s->one_hot && s->embed)
        say_usage(v, "--one-hot and --embed are two ways to say what stands for a token");
    else if (!s->context && ur_language_model_check(&config, &err) != UR_OK)
        say_usage(v, "%s", err.text);
    else
        return check_next_words(v, s, &config);
    return false;
}

static ur_status create(ur_context *context, const settings *s, ur_run_settings *how, ur_run **run,
                        ur_err *err)
{
    const ur_language_model_config config = model_of(s);
    if (s->context)
        return create_next_words(context, s, &config, how, run, err);
    return ur_run_create(context, s->out, how, "language_model", &config, run, err);
}

static const char *const kinds[] = {"language_model", "text_lstm", NULL};
static const trainee lm = {&train_lm_verb, kinds, check, create};

static int run_train(const settings *s)
{
    const int code = train_kind(&lm, s);
    return code == CODE_OK && !s->quiet && !s->json ? print_sample_text(s) : code;
}

static const char *const usage[] = {"train lm --data FILE --out FOLDER [options]",
                                    "train lm --out FOLDER --resume [--epochs N] [--max-steps N]",
                                    NULL};

static const char *const notes[] = {
    TRAIN_NOTE,
    "An epoch's perplexity is exp of the mean loss of its tokens, each batch before its step. That "
    "of validation text is over all its tokens but the first, states carried from start to end.",
    "With --context a validation text's perplexity is over every word that has so many before it, "
    "states beginning with zeros.",
    NULL};

static const option_table own = OPTION_TABLE(options);
static const option_table *const tables[] = {&own, &next_word_options, &train_options, NULL};

const verb train_lm_verb = {
    .name = "train lm",
    .summary = "teach a model to go on writing a text",
    .usage = usage,
    .purpose = "Trains a language model: it reads a text, character by character or word by word, "
               "and learns to say what comes next. The run's folder gets the model, its "
               "configuration, and a record of how the training went.",
    .example = "  $ unroll train lm --data timemachine.txt --lower --letters-only \\\n"
               "        --optimizer sgd --lr 1 --epochs 500 --out runs/time\n"
               "  epoch   1/500  loss 3.0012  perplexity 20.109  85,300 tokens/s  0.1 s\n"
               "  ...\n",
    .notes = notes,
    .see_also = "unroll help generate, unroll help eval, unroll help plot",
    .tables = tables,
    .defaults = defaults,
    .run = run_train,
};
