/* cli.h - what the files of the tool share: exit codes, messages, the verbs.
 *
 * Results go to standard output, everything said about them to standard error. The tool is a
 * customer of the public API and of nothing else. */
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

/* ---- messages (messages.c) ---------------------------------------------------------------- */

/* "unroll: SENTENCE" on standard error. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says what the library found and returns the exit code for it. */
int say_error(const ur_err *err);
int exit_code(ur_status status);

/* The same where ur_run_open failed: every tensor at fault that the sentence has no room for follows
 * on a line of its own. */
int say_open_error(ur_context *context, const char *path, const ur_err *err);
int say_no_memory(void); /* returns CODE_MEMORY */

/* Says what is wrong with the command line and where to read on; returns CODE_USAGE. verb may be
 * NULL. */
int say_usage(const verb *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A context with so many threads (0: all there are); NULL after saying why, with the exit code. */
ur_context *open_context(size_t threads, int *code);

/* Writes what standard output still holds; CODE_IO when it cannot, after saying so (but not about a
 * pipe that its reader closed). finish_output lets an earlier failure stand. */
int flush_output(void);
int finish_output(int code);

/* ---- writing (write.c) -------------------------------------------------------------------- */

#define GROUPED 32
/* 45000 as 45,000. */
const char *grouped(size_t n, char text[GROUPED]);

/* JSON values: a string (bytes that are not UTF-8 as U+FFFD), a number (null when not finite), and
 * a text that is JSON already, without the white space between its values. */
void json_string(FILE *to, const char *text);
void json_number(FILE *to, double number);
void json_compact(FILE *to, const char *json);

/* `folder`/`name` in fresh memory; NULL without memory. */
char *join_path(const char *folder, const char *name);

/* ---- the verbs ---------------------------------------------------------------------------- */

extern const verb train_verb, eval_verb, predict_verb, generate_verb, plot_verb, inspect_verb;

/* All of them, ended by NULL (main.c). */
const verb *const *all_verbs(void);

#endif
