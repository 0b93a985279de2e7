/* options.h - the command line: verbs, their options as tables, and what was given.
 *
 * --name VALUE and --name=VALUE are the same; an argument that may be left out is only taken after
 * `=`. Of an option given twice the last one counts. `--` ends the options. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What the command line said, every verb's options together. */
typedef struct settings {
    const char *data, *valid, *out, *question;
    size_t size, valid_size, hidden, embed, layers, decoder_layers, proj, batch, epochs, max_steps;
    size_t threads, lr_epochs, lr_patience, warmup, early_stop;
    uint64_t seed;
    double lr, clip, beta1, beta2, eps, momentum, weight_decay, dropout, lr_factor, lr_min;
    double recurrent_dropout, zoneout, zoneout_c;
    int optimizer, schedule, attention, decoder_start, answer_order, init; /* the library's */
    int cell, bidirectional; /* as train.c lists them */
    bool no_bias, strip, peeky, reverse_input, resume, quiet, json;
    /* language models */
    const char *prompt;
    size_t max_tokens, min_freq, max_size, bptt, tokens, top_k;
    double valid_split, temperature, top_p;
    int tokenizer, sampling;
    size_t context, state_memory; /* next-word models */
    int bias_init, output_from;
    bool lower, letters_only, both, one_hot, tied, keep_tail;
    bool confusion;
    bool help;
    uint64_t given;   /* bit i: option_at(verb, i) was given */
    char **arguments; /* what is not an option */
    size_t n_arguments;
} settings;

typedef enum option_kind {
    OPTION_FLAG,  /* bool */
    OPTION_TEXT,  /* const char *; at least `least` bytes */
    OPTION_SIZE,  /* size_t from least to most */
    OPTION_SEED,  /* uint64_t, all of them */
    OPTION_REAL,  /* double from least to most, the ends left out as `open` says */
    OPTION_CHOICE /* int: index into choices */
} option_kind;

enum { OPEN_LEAST = 1, OPEN_MOST = 2 };

typedef struct option {
    const char *name;
    const char *value; /* what help calls the argument; NULL for a flag */
    option_kind kind;
    size_t offset; /* of the member of settings */
    double least, most;
    int open;
    const char *const *choices; /* ended by NULL; an entry "" is what the bare option means, and an
                                   entry that begins with a space cannot be chosen */
    const char *help;
    const char *standard; /* the default as help says it; NULL: from the settings; "": none */
} option;

#define OPTION_AT(member) offsetof(settings, member)

/* Options that verbs share. */
#define OPTION_THREADS                                                                             \
    {                                                                                              \
        "threads", "N", OPTION_SIZE, OPTION_AT(threads), 1, 1024, 0, NULL,                         \
            "Threads to compute with. Results do not depend on it, to the last bit.",              \
            "all there are"                                                                        \
    }
#define OPTION_QUIET                                                                               \
    {                                                                                              \
        "quiet", NULL, OPTION_FLAG, OPTION_AT(quiet), 0, 0, 0, NULL, "Say nothing but errors.", "" \
    }
#define OPTION_JSON(text)                                                                          \
    {                                                                                              \
        "json", NULL, OPTION_FLAG, OPTION_AT(json), 0, 0, 0, NULL, text, ""                        \
    }
#define OPTION_HELP                                                                                \
    {                                                                                              \
        "help", NULL, OPTION_FLAG, OPTION_AT(help), 0, 0, 0, NULL, "Print this text.", ""          \
    }

/* Some options; a verb's are those of several tables, so that verbs can share them. */
typedef struct option_table {
    const option *options;
    size_t n;
} option_table;

#define OPTION_TABLE(options)                                                                      \
    {                                                                                              \
        options, sizeof(options) / sizeof *(options)                                               \
    }

typedef struct verb {
    const char *name;
    const char *summary;      /* for the list of verbs */
    const char *const *usage; /* lines without the leading "unroll", ended by NULL */
    const char *purpose;      /* a paragraph */
    const char *example;      /* as it looks on the terminal */
    const char *const *notes; /* more paragraphs after the options, ended by NULL */
    const char *see_also;
    const option_table *const *tables; /* ended by NULL; at most MOST_OPTIONS together */
    void (*defaults)(settings *s);     /* changes what the options start from; may be NULL */
    const struct verb *const *parts;   /* verbs of two words, "train seq2seq", of which this is the
                                         first; ended by NULL; NULL: none */
    int (*run)(const settings *s);     /* of a verb with parts: no part was named */
} verb;

enum { MOST_OPTIONS = 64 };

settings default_settings(const verb *v);

/* Option i of all the verb's tables, NULL behind the last one. */
const option *option_at(const verb *v, size_t i);
/* The last word of a verb's name. */
const char *last_word(const verb *v);

/* Reads the arguments after the verb. False after saying what is wrong with them. */
bool read_options(const verb *v, int argc, char **argv, settings *s);
bool was_given(const verb *v, const settings *s, const char *name);

/* Strict numbers: the whole text, no spaces, no other bases. */
bool read_whole(const char *text, uint64_t *number);
bool read_real(const char *text, double *number);

/* The name that was probably meant: index into names, or -1 when none is near. */
int nearest_name(const char *text, size_t n, const char *const *names);

/* What a verb does, with its options as the settings have them (help.c). */
void print_verb_help(FILE *to, const verb *v);
void print_help(FILE *to);

#endif
