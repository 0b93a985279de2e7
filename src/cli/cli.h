/* cli.h - what the files of the tool share: exit codes, messages, the verbs.
 *
 * Results go to standard output, everything said about them to standard error. The tool is a
 * customer of the public API and of nothing else, and knows no kind of model by name. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <unroll.h>
#include <stdio.h>

#include "options.h"

enum {
    CODE_OK = 0,
    CODE_FAILURE = 1,
    CODE_USAGE = 2,
    CODE_INPUT = 3, /* a file or a model that is missing or not what it should be */
    CODE_IO = 4,    /* reading or writing failed */
    CODE_MEMORY = 5,
    CODE_DIVERGED = 6,
    CODE_INTERRUPTED = 130
};

/* ---- messages (messages.c) ----------------------------------------------------------------- */

/* "unroll: SENTENCE" on standard error. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* In the middle of what is printed there was no memory for a text: the tool then ends with CODE_MEMORY. */
void note_missing_text(void);
/* A line that belongs to it, behind two spaces. */
void say_more(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says what the library found and returns the exit code for it. */
int say_error(const ur_err *err);
int exit_code(ur_status status);
int say_no_memory(void); /* returns CODE_MEMORY */

/* Says what is wrong with the command line and where to read on; returns CODE_USAGE. c may be
 * NULL. */
int say_usage(const command *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whether a folder, or anything, stands there. Says why where nobody can tell. */
int find_folder(const char *path, bool *folder, bool *exists);
/* Says what failed with the file and the system's reason (errno); the exit code. */
int say_system(const char *path, const char *what);
/* Its second line alone. */
int say_try(const command *c);

/* A context with so many threads (0: all there are); NULL after saying why, with the exit code. */
ur_context *open_context(size_t threads, int *code);

/* Opens a run, with --last its last weights, and says whose it has where there are two; NULL after saying
 * why, with the exit code: every tensor at fault that the sentence has no room for follows on a line of
 * its own. */
ur_run *open_run(const command *c, ur_context *context, const char *path, int *code);

/* Opens the run that the first argument names, with a context of --threads for it, and hands it to `use`;
 * returns the exit code. */
int with_run(command *c, int (*use)(command *c, ur_run *run));

/* What reading data files found (ur_run_remark), a line each. */
void say_remarks(const ur_run *run);

/* Writes what standard output still holds; CODE_IO when it cannot, after saying so (but not about a
 * pipe that its reader closed). finish_output lets an earlier failure stand. */
int flush_output(void);
int finish_output(int code);

/* ---- writing (write.c) --------------------------------------------------------------------- */

#define GROUPED 32
/* 45000 as 45,000. */
const char *grouped(size_t n, char text[GROUPED]);

/* JSON values: a string (bytes that are not UTF-8 as U+FFFD; NULL: null), a number (null when not
 * finite), and a text that is JSON already, without the white space between its values. */
void json_string(FILE *to, const char *text);
void json_number(FILE *to, double number);
void json_compact(FILE *to, const char *json);

/* The text in fresh memory, with \u{1b} for characters that control a terminal; keep_lines: but for line
 * feeds and tabs. NULL without memory. */
char *shown_text(const char *text, bool keep_lines);

/* `folder`/`name` in fresh memory; NULL without memory. */
char *join_path(const char *folder, const char *name);

/* ---- help (help.c) ----------------------------------------------------------------------------- */

/* What help says about an option, its default included, in fresh memory; NULL without memory. */
char *option_text(const command *c, const option *o);

/* What a verb does, with its options; trained: the word after `unroll train`, or NULL. As help, or
 * (listed) as lines of fields between tabs, of which tools/manual makes pages. False without memory. */
bool print_verb_help(FILE *to, const verb *v, const char *trained, bool listed);
void print_help(FILE *to);
/* The lines of what `unroll train` can be followed by. */
void print_trained(FILE *to);

/* ---- what can be trained (train.c) --------------------------------------------------------- */

/* Kinds that a training verb trains, each verb's first; NULL behind the last. */
const ur_kind *trained_at(size_t i);
/* Kind i of `unroll train WORD`: the one that no option chooses comes first. */
const ur_kind *kind_of_word(const char *word, size_t i);
/* *out: the kind that arguments after `train` ask for; NULL: they begin with no word of one. A code but CODE_OK after
 * saying what could not be looked at. */
int choose_kind(int argc, char **argv, const ur_kind **out);

/* ---- lines from standard input or a file (lines.c) --------------------------------------------------- */

/* What a verb does with texts that come as lines. */
typedef struct line_texts {
    void *user;
    size_t most;        /* texts at a time */
    const char **where; /* set while lines are read, for messages: "standard input: line" */
    /* Some texts, of which the first is number `first`; returns an exit code. */
    int (*take)(void *user, size_t count, const char *const *texts, size_t first);
    /* A line that cannot be a text, and why. NULL: it is said, and ends the verb. */
    int (*refuse)(void *user, size_t number, const char *why);
} line_texts;

/* Hands on the lines of the file at `path` (NULL: of standard input), as many as are there at a time, at
 * most `most` and, where they are long, fewer; waits for more only when none is left. */
int take_lines(const char *path, const line_texts *to);

/* How many of the texts, at least the first and at most `most`, lines of these lengths would come together. */
size_t texts_together(size_t most, size_t count, const char *const *texts);

/* ---- signals (signals.c) ------------------------------------------------------------------- */

void catch_signals(void);
bool stop_asked(void);

/* ---- a training while it runs (progress.c) ------------------------------------------------- */

typedef struct progress {
    const ur_run *run;
    const ur_kind *kind;
    bool quiet, json;
    bool terminal;  /* a line that rewrites itself */
    bool line_open; /* such a line is on the screen */
    bool stop_said;
    double drawn; /* when it was last drawn, in seconds of a clock of its own */
    size_t step;  /* the last one */
    bool evaluated;
    ur_metrics metrics; /* the last ones */
    double first_loss;  /* of the first epoch seen */
    size_t epochs_seen;
    double best; /* of the kind's first figure in per cent, on validation data; NaN: none */
} progress;

progress progress_start(const ur_run *run, bool quiet, bool json);

/* Hooks that tell what happens; `p` must outlive them. */
ur_run_hooks progress_hooks(progress *p);

/* After a training that learned nothing: what to try. */
void say_what_to_try(const progress *p);

/* Takes the rewriting line off the screen. */
void progress_clear(progress *p);

/* ---- what is measured and predicted (eval.c, label_table.c, predictions.c) ----------------- */

/* The kind's figures, the loss, and what was counted, a line each (eval.c). */
void print_measure(ur_run *run, const ur_measure *measure);

/* Data that is two files: *data, and what stands behind the run among the arguments. False after saying
 * what is wrong. */
bool join_data(command *c, ur_run *run, const char **data);

/* What an evaluation of this run is to count, matrix: also which label is taken for which. NULL for a kind
 * without labels. */
ur_status count_labels(ur_run *run, bool matrix, ur_confusion **out, ur_err *err);

/* A line for each label, and the matrix, if there is one; in place of a matrix too wide to be read the most
 * frequent confusions. unit: what has a label, "tokens". */
void print_label_table(const ur_vocabulary *names, const ur_confusion *confusion, const char *unit);
/* ,"labels":[...] of an object, and with a matrix ,"confusion":[...]. */
void print_label_json(const ur_vocabulary *names, const ur_confusion *confusion);

/* The answer to text `number` (from 0): as one object; or in lines, of several alternatives (`best`) one
 * each with its log probability behind a tab, or of kinds that say so as `number ||| text ||| score`. */
void print_prediction(ur_run *run, const ur_prediction *prediction, size_t number, bool json,
                      bool best);

/* The empty answer to a text that cannot be answered (NULL: it is not even a text), as one object with
 * the reason. */
void print_refusal(const char *text, bool json, const char *why);

/* Of kinds with labels how right they are on the validation data, label by label; of others some
 * examples with what the model makes of them; of those that write what follows `prompt` (NULL: the
 * beginning of the data). Returns an exit code. */
int print_samples(ur_run *run, const char *prompt);

/* ---- the verbs ----------------------------------------------------------------------------- */

extern const verb train_verb, eval_verb, score_verb, predict_verb, generate_verb, plot_verb,
    inspect_verb, completions_verb, average_verb, embed_verb, fill_verb;

/* All of them, ended by NULL (main.c). */
const verb *const *all_verbs(void);

#endif
