/* train_tagger.c - unroll train tagger and unroll train classifier: labels for tokens or for whole
 * texts. */
#include "train.h"

#include <string.h>

/* rnn is short for rnn_tanh. */
static const char *const cells[] = {"lstm",     "gru",          "rnn",           "rnn_tanh",
                                    "rnn_relu", "gru_original", "lstm_peephole", "lstm_layer_norm",
                                    NULL};
static const char *const directions[] = {"one", "concat", "average", NULL};
static const char *const tokenizers[] = {"char", "word", "word-punct", NULL};

extern const verb train_tagger_verb, train_classifier_verb;

/* ---- options ------------------------------------------------------------------------------- */

static const option tagger_options[] = {
    {"data", "FILE", OPTION_TEXT, OPTION_AT(data), .least = 1,
     .help = "What to learn: a token and its label on each line, blank lines between sentences. "
             "Columns are separated by tabs or spaces; of more than two the first is the token and "
             "the last the label, as in CoNLL's files.",
     .standard = ""},
    {"valid", "FILE", OPTION_TEXT, OPTION_AT(valid), .least = 1,
     .help = "Sentences to measure accuracy and F1 with after every epoch.", .standard = ""},
};

static const option classifier_options[] = {
    {"data", "FILE", OPTION_TEXT, OPTION_AT(data), .least = 1,
     .help = "What to learn: on each line a label, a tab and a text.", .standard = ""},
    {"valid", "FILE", OPTION_TEXT, OPTION_AT(valid), .least = 1,
     .help = "Texts to measure accuracy and F1 with after every epoch.", .standard = ""},
    {"tokenizer", "char|word|word-punct", OPTION_CHOICE, OPTION_AT(tokenizer),
     .choices = tokenizers,
     .help = "What a token is: a character, what stands between white space, or words and "
             "punctuation apart."},
    {"letters-only", NULL, OPTION_FLAG, OPTION_AT(letters_only),
     .help = "Runs of anything but A-Z and a-z become one space.", .standard = ""},
};

static const option shared_options[] = {
    {"lower", NULL, OPTION_FLAG, OPTION_AT(lower), .help = "Tokens in lower case.", .standard = ""},
    {"min-freq", "N", OPTION_SIZE, OPTION_AT(min_freq), 1, 1e9,
     .help = "Tokens that come up less often are <unk>, which so learns what to do with tokens "
             "that it never saw."},
    {"max-size", "N", OPTION_SIZE, OPTION_AT(max_size), 1, 4e6,
     .help = "Only the N most frequent tokens; others are <unk>.", .standard = "no limit"},
    {"embed", "N", OPTION_SIZE, OPTION_AT(embed), 1, 16384,
     .help = "Numbers that stand for a token."},
    {"cell", "lstm|gru|rnn", OPTION_CHOICE, OPTION_AT(cell), .choices = cells,
     .help = "What the layers are made of. There are also rnn_relu (rnn is rnn_tanh), "
             "gru_original, lstm_peephole and lstm_layer_norm."},
    {"hidden", "N", OPTION_SIZE, OPTION_AT(hidden), 1, 16384,
     .help = "Units of each layer and direction."},
    {"layers", "N", OPTION_SIZE, OPTION_AT(layers), 1, UR_MOST_LAYERS, .help = "Layers."},
    {"directions", "concat|average|one", OPTION_CHOICE, OPTION_AT(bidirectional),
     .choices = directions,
     .help = "Read from both ends, the two directions side by side or their mean; or from the "
             "start alone."},
    {"dropout", "P", OPTION_REAL, OPTION_AT(dropout), 0, 0.99,
     .help = "Part of the embeddings, of what goes from layer to layer and of what the output "
             "reads that is dropped."},
};

static void set_defaults(settings *s, bool per_sequence)
{
    const ur_tagger_config model = ur_tagger_defaults(per_sequence);
    s->embed = model.embed_size;
    s->hidden = model.hidden_size;
    s->layers = model.layers;
    s->bidirectional = (int)model.directions;
    s->tokenizer = (int)model.text.tokenizer;
    s->min_freq = model.min_freq;
    s->batch = 32;
    s->epochs = 10;
    s->lr = 2e-3;
    s->clip = 1;
}

static void tagger_defaults(settings *s)
{
    set_defaults(s, false);
}

static void classifier_defaults(settings *s)
{
    set_defaults(s, true);
}

/* ---- training ------------------------------------------------------------------------------ */

static ur_tagger_config model_of(const settings *s, bool per_sequence)
{
    ur_tagger_config config = ur_tagger_defaults(per_sequence);
    config.embed_size = s->embed;
    config.hidden_size = s->hidden;
    config.cell = strcmp(cells[s->cell], "rnn") == 0 ? "rnn_tanh" : cells[s->cell];
    config.layers = s->layers;
    config.directions = (ur_directions)s->bidirectional;
    config.dropout = (float)s->dropout;
    config.text.tokenizer = (ur_tokenizer)s->tokenizer;
    config.text.letters_only = s->letters_only;
    config.text.lower = s->lower;
    config.min_freq = s->min_freq;
    config.max_size = s->max_size;
    return config;
}

static bool check_data(const verb *v, const settings *s, const char *what)
{
    if (!s->data)
        say_usage(v, "--data is missing: a file of %s", what);
    else if (is_builtin(s->data) || (s->valid && is_builtin(s->valid)))
        say_usage(v, "built-in data has no labels; --data and --valid are files of %s", what);
    else
        return true;
    return false;
}

static bool check_tagger(const settings *s)
{
    return check_data(&train_tagger_verb, s, "tokens with labels");
}

static bool check_classifier(const settings *s)
{
    return check_data(&train_classifier_verb, s, "labels and texts");
}

static ur_status create_tagger(ur_context *context, const settings *s, ur_run_settings *how,
                               ur_run **run, ur_err *err)
{
    const ur_tagger_config config = model_of(s, false);
    return ur_run_create(context, s->out, how, "tagger", &config, run, err);
}

static ur_status create_classifier(ur_context *context, const settings *s, ur_run_settings *how,
                                   ur_run **run, ur_err *err)
{
    const ur_tagger_config config = model_of(s, true);
    return ur_run_create(context, s->out, how, "classifier", &config, run, err);
}

static const char *const tagger_kinds[] = {"tagger", NULL};
static const char *const classifier_kinds[] = {"classifier", NULL};
static const trainee tagger = {&train_tagger_verb, tagger_kinds, check_tagger, create_tagger};
static const trainee classifier = {&train_classifier_verb, classifier_kinds, check_classifier,
                                   create_classifier};

static int run_tagger(const settings *s)
{
    return train_kind(&tagger, s);
}

static int run_classifier(const settings *s)
{
    return train_kind(&classifier, s);
}

/* ---- help ---------------------------------------------------------------------------------- */

#define LABEL_NOTE                                                                                 \
    "F1 is the plain mean of the labels' F1, rare ones counting as much as frequent ones. "        \
    "Validation data must not have labels that the training data lacks."

static const char *const tagger_usage[] = {"train tagger --data FILE --out FOLDER [options]",
                                           "train tagger --out FOLDER --resume [--epochs N]", NULL};

static const char *const classifier_usage[] = {
    "train classifier --data FILE --out FOLDER [options]",
    "train classifier --out FOLDER --resume [--epochs N]", NULL};

static const char *const notes[] = {TRAIN_NOTE, LABEL_NOTE, NULL};

static const option_table tagger_own = OPTION_TABLE(tagger_options);
static const option_table classifier_own = OPTION_TABLE(classifier_options);
static const option_table shared = OPTION_TABLE(shared_options);
static const option_table *const tagger_tables[] = {&tagger_own, &shared, &train_options, NULL};
static const option_table *const classifier_tables[] = {&classifier_own, &shared, &train_options,
                                                        NULL};

const verb train_tagger_verb = {
    .name = "train tagger",
    .summary = "teach a model to label every token of a sentence",
    .usage = tagger_usage,
    .purpose = "Trains a model that gives each token of a sentence a label: its part of speech, "
               "whether it is part of a name. It reads the sentence from both ends. The run's "
               "folder gets the model, its configuration, and a record of how the training went.",
    .example = "  $ head -5 train.txt\n"
               "  Ada       B-PER\n"
               "  Lovelace  I-PER\n"
               "  lived     O\n"
               "  in        O\n"
               "  London    B-LOC\n"
               "  $ unroll train tagger --data train.txt --valid valid.txt --out runs/names\n"
               "  $ unroll predict runs/names \"Ada lived in London\"\n"
               "  Ada     B-PER   0.9731\n"
               "  lived   O       0.9998\n"
               "  in      O       0.9999\n"
               "  London  B-LOC   0.9902\n",
    .notes = notes,
    .see_also = "unroll help train classifier, unroll help predict, unroll help eval",
    .tables = tagger_tables,
    .defaults = tagger_defaults,
    .run = run_tagger,
};

const verb train_classifier_verb = {
    .name = "train classifier",
    .summary = "teach a model to label whole texts",
    .usage = classifier_usage,
    .purpose = "Trains a model that gives each text a label: its language, its topic, whether it "
               "is spam. It reads the text from both ends and decides by its last states. The "
               "run's folder gets the model, its configuration, and a record of how the training "
               "went.",
    .example = "  $ head -2 train.txt          (a tab behind the label)\n"
               "  good    a film to remember\n"
               "  bad     two hours that I want back\n"
               "  $ unroll train classifier --data train.txt --valid valid.txt --out runs/films\n"
               "  $ unroll predict runs/films \"a film to forget\"\n"
               "  bad     0.8713\n",
    .notes = notes,
    .see_also = "unroll help train tagger, unroll help predict, unroll help eval",
    .tables = classifier_tables,
    .defaults = classifier_defaults,
    .run = run_classifier,
};
