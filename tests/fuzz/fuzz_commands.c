/* fuzz_commands.c - command lines: an argument a line, and behind a line that is `<` standard input. The tool runs
 * as in a process of its own, in a folder with data and trained runs, and stops a training after three steps: it
 * ends with one of its exit codes, says something where that is not 0, and all it says is UTF-8 that nothing in
 * controls a terminal. Numbers of three to nine digits are cut to two, so that nothing takes long. */
#define _GNU_SOURCE /* memfd_create */
#include "runs.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/cli.h"

int unroll_main(int argc, char **argv);

static void start(const ur_allocator *a);

const fuzz_setup fuzz_frame = {.folder = true, .keeps = true, .start = start};

/* ---- signals.c of the tool, whose place this takes --------------------------------------------------- */

static int steps;

void catch_signals(void)
{
}

bool stop_asked(void)
{
    return --steps <= 0;
}

/* ---- the command line -------------------------------------------------------------------------------- */

enum { MOST = 24 };

/* No path leads out of the folder, and nothing is large. */
static void tame(char *text, bool threads)
{
    char *to = text;
    for (const char *at = text; *at;) {
        size_t digits = 0;
        while (isdigit((unsigned char)at[digits]))
            digits++;
        const size_t kept = threads && digits ? 1 : digits > 2 && digits < 10 ? 2 : digits;
        if (digits) {
            memmove(to, at, kept);
            to += kept;
            at += digits;
            continue;
        }
        const bool leads_out = *at == '/' && (at == text || !isalnum((unsigned char)at[-1]));
        *to++ = leads_out ? '_' : *at;
        at++;
    }
    *to = '\0';
}

static int split(char *text, char *argv[MOST + 8], char **input)
{
    int argc = 1;
    bool builtin = false;
    *input = NULL;
    argv[0] = (char *)"unroll";
    for (char *next; text && argc < MOST; text = next) {
        next = strchr(text, '\n');
        if (next)
            *next++ = '\0';
        if (strcmp(text, "<") == 0) {
            *input = next;
            break;
        }
        tame(text, strstr(text, "threads") || strstr(argv[argc - 1], "threads"));
        builtin = builtin || strstr(text, "builtin:");
        argv[argc++] = text;
    }
    if (builtin && argc > 1 && (strcmp(argv[1], "train") == 0 || strcmp(argv[1], "eval") == 0)) {
        argv[argc++] = (char *)"--size";
        argv[argc++] = (char *)"9";
    }
    argv[argc] = NULL;
    return argc;
}

/* Data, and those runs that the arguments name, as they were trained. */
static void furnish(int argc, char **argv)
{
    fuzz_remove("work");
    for (size_t i = 0; i < fuzz_run_count(); i++) {
        const fuzz_run *run = fuzz_run_at(i);
        char data[64], folder[64];
        snprintf(data, sizeof data, "work/in/data/%s", run->name);
        snprintf(folder, sizeof folder, "work/in/runs/%s", run->name);
        fuzz_put(data, run->data, strlen(run->data));
        for (int k = 1; k < argc; k++)
            if (strstr(argv[k], folder + 8)) {
                fuzz_damage(i, (fuzz_bytes){NULL, 0}, folder);
                break;
            }
    }
}

/* ---- what it says ------------------------------------------------------------------------------------- */

static int files[3], own[3];

static void start(const ur_allocator *a)
{
    fuzz_make_runs(a);
    for (int i = 0; i < 3; i++) {
        files[i] = memfd_create("standard", MFD_CLOEXEC);
        own[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
        FUZZ_CHECK(files[i] >= 0);
    }
}

/* Standard input, output and error become files in memory. */
static void redirect(const char *input)
{
    for (int i = 0; i < 3; i++) {
        FUZZ_CHECK(ftruncate(files[i], 0) == 0 && lseek(files[i], 0, SEEK_SET) == 0);
        if (i == 0 && input)
            FUZZ_CHECK(write(files[0], input, strlen(input)) == (ssize_t)strlen(input));
        lseek(files[i], 0, SEEK_SET);
        fflush(i == 1 ? stdout : stderr);
        FUZZ_CHECK(dup2(files[i], i) == i);
    }
    clearerr(stdin);
    clearerr(stdout);
    fseek(stdin, 0, SEEK_SET);
}

static void restore(void)
{
    fflush(stdout);
    fflush(stderr);
    for (int i = 0; i < 3; i++)
        if (own[i] >= 0)
            dup2(own[i], i);
}

/* Lines that can be printed; returns how many bytes. */
static size_t check_said(void)
{
    const off_t size = lseek(files[2], 0, SEEK_END);
    FUZZ_CHECK(size >= 0);
    char *said = malloc((size_t)size + 1), *next;
    FUZZ_CHECK(said && pread(files[2], said, (size_t)size, 0) == size);
    said[size] = '\0';
    FUZZ_CHECK(strlen(said) == (size_t)size);
    for (char *line = said; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        FUZZ_CHECK(fuzz_printable(line));
    }
    free(said);
    return (size_t)size;
}

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    static const int codes[] = {CODE_OK, CODE_FAILURE, CODE_USAGE,    CODE_INPUT,
                                CODE_IO, CODE_MEMORY,  CODE_DIVERGED, CODE_INTERRUPTED};
    char *argv[MOST + 8], *input, *text = fuzz_text((fuzz_bytes){data, size});
    const int argc = split(text, argv, &input);
    bool known = false;
    (void)a;
    steps = 3;
    furnish(argc, argv);
    const int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FUZZ_CHECK(before >= 0 && chdir("work/in") == 0);
    redirect(input);
    const int code = unroll_main(argc, argv);
    restore();
    FUZZ_CHECK(fchdir(before) == 0);
    close(before);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        known = known || code == codes[i];
    FUZZ_CHECK(known);
    const size_t said = check_said();
    FUZZ_CHECK(code == CODE_OK || code == CODE_INTERRUPTED || said > 0);
    free(text);
}
