/* test_peak.c - the memory that the tool takes for many long lines is that of some of them, and its
 * answers do not depend on which lines come together. */
#include "support/faulty_syscalls.h"
#include "support/slow.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* Runs the tool, standard input from a file and output into one; its largest resident size in KiB. */
static long run(const char *in, const char *out, const char *const *arguments)
{
    const char *tool = getenv("UNROLL_TOOL");
    assert_non_null(tool);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const int from = open(in, O_RDONLY), to = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        char *list[32] = {"unroll"};
        for (size_t i = 0; arguments[i]; i++)
            memcpy(&list[i + 1], &arguments[i], sizeof(char *));
        if (from >= 0 && to >= 0 && dup2(from, 0) == 0 && dup2(to, 1) == 1)
            execv(tool, list);
        _exit(99);
    }
    int status;
    struct rusage used;
    assert_int_equal(wait4(child, &status, 0, &used), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("unroll %s ended with %d", arguments[0], status);
    return used.ru_maxrss;
}

enum { SOME = 4, LINES = 12 };

static size_t words_of_a_line(void)
{
    return getenv("UNROLL_SANITIZE") ? 40 : 24000;
}

/* LINES files of one line each, and files with some of them and with all. */
static void make_lines(void)
{
    static const char *const words[] = {"the", "dog", "runs", "a", "cat"};
    FILE *some = fopen("some", "w"), *all = fopen("all", "w");
    assert_true(some && all);
    for (size_t i = 0; i < LINES; i++) {
        char name[16];
        snprintf(name, sizeof name, "line%zu", i);
        FILE *one = fopen(name, "w");
        assert_non_null(one);
        for (size_t w = 0; w <= words_of_a_line(); w++) {
            const bool end = w == words_of_a_line();
            const char *text = end ? "\n" : words[(w * w + i) % 5], *space = end ? "" : " ";
            fprintf(one, "%s%s", text, space);
            fprintf(all, "%s%s", text, space);
            if (i < SOME)
                fprintf(some, "%s%s", text, space);
        }
        fclose(one);
    }
    fclose(some);
    fclose(all);
}

static char *content(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *size = (size_t)ftell(f);
    rewind(f);
    char *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, f), *size);
    fclose(f);
    return bytes;
}

/* What a run says to the lines together is what it says to each. */
static void check_answers(const char *model)
{
    size_t size, at = 0;
    char *all = content("out", &size);
    for (size_t i = 0; i < LINES; i++) {
        char name[16];
        size_t n;
        snprintf(name, sizeof name, "line%zu", i);
        const char *const ask[] = {"predict", model, "-", "--threads", "1", NULL};
        run(name, "one", ask);
        char *one = content("one", &n);
        assert_true(n > 0 && at + n <= size);
        assert_memory_equal(all + at, one, n);
        at += n;
        free(one);
    }
    assert_int_equal(at, size);
    free(all);
}

static void lines(const char *kind, const char *data)
{
    put_file("data.txt", data);
    put_file("nothing", "");
    const char *const train[] = {"train",    kind, "--data",     "data.txt", "--out",    kind,
                                 "--hidden", "8",  "--embed",    "4",        "--epochs", "1",
                                 "--batch",  "8",  "--min-freq", "1",        "--quiet",  NULL};
    run("nothing", "out", train);
    make_lines();
    const char *const ask[] = {"predict", kind, "-", "--threads", "1", NULL};
    const long some = run("some", "out", ask), all = run("all", "out", ask);
    if (!getenv("UNROLL_SANITIZE") && all > some + some / 4)
        fail_msg("%s: %ld KiB for %d lines, %ld for %d", kind, some, SOME, all, LINES);
    check_answers(kind);
}

static void of_a_tagger(void **state)
{
    (void)state;
    lines("tagger", "the D\ndog N\nruns V\n\na D\ncat N\nruns V\n\n");
}

static void of_a_classifier(void **state)
{
    (void)state;
    lines("classifier", "dog\tthe dog runs\ncat\ta cat runs\ndog\tdog\ncat\tcat\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(of_a_tagger, test_folder_enter, test_folder_leave),
        cmocka_unit_test_setup_teardown(of_a_classifier, test_folder_enter, test_folder_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
