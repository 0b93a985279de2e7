/* options.h - the command line: verbs, their options, and what was given.
 *
 * Options are the fields of structs (ur_field): of a kind's configuration, of a training's settings,
 * of a verb's own struct. --name VALUE and --name=VALUE are the same; a value that may be left out is
 * only taken after `=`. Of an option given twice the last one counts. `--` ends the options. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <unroll.h>

typedef struct command command;

/* What every verb has. */
typedef struct common_options {
    size_t threads;
    bool last, quiet, json, help;
} common_options;

typedef struct verb {
    const char *name;
    const char *summary; /* for the list of verbs */
    const char *const
        *usage; /* lines without the leading "unroll", ended by NULL; %s: what is trained */
    const char *purpose;      /* a paragraph */
    const char *example;      /* as it looks on the terminal */
    const char *const *notes; /* more paragraphs after the options, ended by NULL; or NULL */
    const char *see_also;
    const ur_field
        *fields; /* the verb's own options, or NULL: members of a struct of `size` bytes */
    size_t size;
    const char *json_help; /* of --json; NULL: there is no such option */
    bool threads;          /* whether there is --threads */
    bool weights;          /* whether there is --last: a run's folder has two files of weights */
    size_t most_tokens; /* default of --max-tokens, of a verb that searches; 0: the model's limit */
    const char *temperature; /* likewise of --temperature; NULL: the search's own */
    bool searches;           /* whether answers are searched for: ur_search_fields */
    bool reads;              /* whether it reads for a run: the kinds' fields "read.NAME" */
    bool trains;             /* is followed by what is trained: options of kinds and of training */
    /* Whether an option of this command is one of `fields`, or of the search's; NULL: all are. */
    bool (*has)(const command *c, const ur_field *field);
    int (*run)(command *c);
} verb;

/* An option: a field, or what stands for several. */
typedef struct option {
    const ur_field *field;         /* NULL: a shorthand */
    const ur_shorthand *shorthand; /* NULL: a field */
    const ur_field *fields;        /* the table that it (or what it stands for) is in ... */
    void *config;                  /* ... and the struct of these fields */
    const char *shown;             /* the default as help says it; NULL: from the field */
    bool given;
    const char *value; /* that was given; NULL: alone */
} option;

/* A verb with its options at their defaults, and what the command line said. */
struct command {
    const verb *verb;
    const ur_kind *kind; /* that is trained; NULL: another verb, or what all trainings share */
    char name[64];       /* "train lm" */
    option *options;
    size_t n_options, capacity;
    void *own;                /* the verb's struct */
    void *config;             /* the kind's */
    void *reading;            /* where values of the kinds' "read.NAME" are tried */
    ur_run_settings settings; /* of a training */
    ur_search_options search;
    char most_tokens[24]; /* its default number of tokens, as help says it */
    common_options common;
    char **arguments; /* what is not an option */
    size_t n_arguments;
    char *joined[8]; /* (n_joined) names of two files */
    size_t n_joined;
};

/* Memory for the options of a verb, at their defaults. False without memory, after saying so;
 * close_command is then not needed. */
bool open_command(command *c, const verb *v, const ur_kind *kind);
void close_command(command *c);

/* Reads the arguments after the verb. False after saying what is wrong with them. */
bool read_options(command *c, int argc, char **argv);
/* Whether what was given goes together: options of use beside the others (`belongs`), shorthands
 * beside what they stand for, the search. False after saying what does not. */
bool check_options(command *c);
/* Sets what was given once more, after something else set all. */
bool set_given(command *c);
/* Sets values that a preset names, but not what was given. */
bool apply_preset(command *c, const ur_preset *preset);

/* The option of that name, without dashes; NULL: there is none. */
option *find_option(const command *c, const char *name);
bool was_given(const command *c, const char *name);

enum { OPTION_NAME = 64 };
const char *option_name(const option *o, char name[OPTION_NAME]); /* without dashes */
/* Whether it is given alone, as a flag is. */
bool takes_no_value(const option *o);

/* The names of two files as the library reads them, in memory of the command's; NULL after saying that
 * there is none. */
const char *two_files(command *c, const char *first, const char *second);

/* Makes the run read as the options say that were given; CODE_USAGE after saying which its kind does
 * not have. */
int set_reading(const command *c, ur_run *run);

/* The search that was asked for; NULL: none was, the most probable answer is wanted. */
const ur_search_options *given_search(command *c);

/* The name that was probably meant: index into names, or -1 when none is near (nearest.c). */
int nearest_name(const char *text, size_t n, const char *const *names);

#endif
