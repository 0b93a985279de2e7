/* messages.c - what the tool says on standard error, and the exit code that goes with it. */
#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the sentence names may be any bytes. */
static void say_list(const char *before, const char *format, va_list arguments)
{
    char text[4096], shown[4096];
    const int n = vsnprintf(text, sizeof text, format, arguments);
    ur_printable(text,
                 n < 0                     ? 0
                 : (size_t)n < sizeof text ? (size_t)n
                                           : sizeof text - 1,
                 shown, sizeof shown - 4);
    fprintf(stderr, "%s%s\n", before, shown);
}

void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_list("unroll: ", format, arguments);
    va_end(arguments);
}

void say_more(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_list("  ", format, arguments);
    va_end(arguments);
}

int exit_code(ur_status status)
{
    switch (status) {
    case UR_OK:
        return CODE_OK;
    case UR_INVALID:
    case UR_BAD_FILE:
        return CODE_INPUT;
    case UR_IO:
        return CODE_IO;
    case UR_NO_MEMORY:
        return CODE_MEMORY;
    case UR_DIVERGED:
        return CODE_DIVERGED;
    case UR_INTERRUPTED:
        return CODE_INTERRUPTED;
    case UR_UNSUPPORTED:
        break;
    }
    return CODE_FAILURE;
}

int say_error(const ur_err *err)
{
    say("%s", err->text);
    return exit_code(err->status);
}

static void say_fault(void *user, const char *fault)
{
    const ur_err *said = user;
    if (!strstr(said->text, fault))
        fprintf(stderr, "  %s\n", fault);
}

/* Which of two files of weights a folder's answers come from. */
static void say_best(const char *path, const ur_run *run)
{
    size_t epoch;
    if (!ur_run_has_best(run, &epoch))
        return;
    const char *by = ur_run_settings_of(run)->best_by;
    if (by && strcmp(by, "loss") != 0)
        say("%s: the weights of epoch %zu, the best by %s (--last: the last ones)", path, epoch,
            by);
    else
        say("%s: the weights of epoch %zu, which had the least validation loss (--last: the last "
            "ones)",
            path, epoch);
}

ur_run *open_run(const command *c, ur_context *context, const char *path, int *code)
{
    ur_run *run = NULL;
    ur_err err;
    const ur_status status = c->common.last ? ur_run_open_last(context, path, &run, &err)
                                            : ur_run_open(context, path, &run, &err);
    if (status == UR_OK) {
        if (c->verb->weights && !c->common.quiet)
            say_best(path, run);
        return run;
    }
    *code = say_error(&err);
    if (err.status == UR_BAD_FILE)
        ur_run_check(context, path, say_fault, &err, NULL);
    return NULL;
}

int with_run(command *c, int (*use)(command *c, ur_run *run))
{
    int code;
    ur_context *context = open_context(c->common.threads, &code);
    ur_run *run = context ? open_run(c, context, c->arguments[0], &code) : NULL;
    if (run)
        code = use(c, run);
    ur_run_free(run);
    ur_context_free(context);
    return code;
}

void say_remarks(const ur_run *run)
{
    const char *remark;
    for (size_t i = 0; (remark = ur_run_remark(run, i)); i++)
        say("%s", remark);
}

int find_folder(const char *path, bool *folder, bool *exists)
{
    struct stat info;
    const bool there = stat(path, &info) == 0;
    *folder = there && S_ISDIR(info.st_mode);
    *exists = there;
    if (there || errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG || errno == ELOOP)
        return CODE_OK;
    return say_system(path, "cannot be examined");
}

int say_system(const char *path, const char *what)
{
    const int error = errno;
    say("%s: %s: %s", path, what, strerror(error));
    return error == ENOMEM ? CODE_MEMORY : CODE_IO;
}

int say_no_memory(void)
{
    say("out of memory");
    return CODE_MEMORY;
}

int say_usage(const command *c, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_list("unroll: ", format, arguments);
    va_end(arguments);
    return say_try(c);
}

int say_try(const command *c)
{
    if (c)
        fprintf(stderr, "Try 'unroll help %s'.\n", c->name);
    else
        fputs("Try 'unroll --help'.\n", stderr);
    return CODE_USAGE;
}

ur_context *open_context(size_t threads, int *code)
{
    ur_options options = {.threads = (int)threads};
    ur_context *context = NULL;
    ur_err err;
    *code = CODE_OK;
    if (ur_context_new(&options, &context, &err) != UR_OK)
        *code = say_error(&err);
    return context;
}

/* Whether nobody reads standard output any more: whoever closes a pipe early knows that it did. */
static bool reader_left(void)
{
    struct pollfd fd = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return errno == EPIPE || (poll(&fd, 1, 0) == 1 && (fd.revents & POLLERR));
}

/* Whether a text could not be made in the middle of what is printed: the exit code tells in the end. */
static bool texts_are_missing;

void note_missing_text(void)
{
    texts_are_missing = true;
}

int flush_output(void)
{
    errno = 0;
    bool failed = fflush(stdout) != 0;
    const char *reason = failed && errno ? strerror(errno) : NULL;
    if (!failed && !ferror(stdout))
        return CODE_OK;
    if (!reader_left())
        say("writing to standard output failed%s%s", reason ? ": " : "", reason ? reason : "");
    return CODE_IO;
}

int finish_output(int code)
{
    if (code == CODE_OK)
        code = flush_output();
    return code == CODE_OK && texts_are_missing ? say_no_memory() : code;
}
