/* main.c - finds the verb and runs it. */
#include "cli.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

const verb *const *all_verbs(void)
{
    static const verb *const verbs[] = {&train_verb, &eval_verb,    &predict_verb,
                                        &plot_verb,  &inspect_verb, NULL};
    return verbs;
}

static const verb *find_verb(const char *name)
{
    for (const verb *const *v = all_verbs(); *v; v++)
        if (strcmp((*v)->name, name) == 0)
            return *v;
    return NULL;
}

static int say_unknown_verb(const char *name)
{
    const char *names[16];
    size_t n = 0;
    for (const verb *const *v = all_verbs(); *v; v++)
        names[n++] = (*v)->name;
    names[n++] = "help";
    int near = nearest_name(name, n, names);
    if (near >= 0)
        return say_usage(NULL, "unknown verb '%s'; did you mean %s?", name, names[near]);
    return say_usage(NULL, "unknown verb '%s'", name);
}

static int help(int argc, char **argv)
{
    if (argc == 0) {
        print_help(stdout);
        return CODE_OK;
    }
    const verb *v = find_verb(argv[0]);
    if (!v)
        return say_unknown_verb(argv[0]);
    print_verb_help(stdout, v);
    return CODE_OK;
}

static int run_verb(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CODE_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help(argc - 2, argv + 2);
    if (strcmp(name, "--version") == 0) {
        puts("unroll " UR_VERSION);
        return CODE_OK;
    }
    if (name[0] == '-')
        return say_usage(NULL, "unknown option %s before the verb", name);
    const verb *v = find_verb(name);
    if (!v)
        return say_unknown_verb(name);
    settings s;
    if (!read_options(v, argc - 2, argv + 2, &s))
        return CODE_USAGE;
    if (s.help) {
        print_verb_help(stdout, v);
        return CODE_OK;
    }
    return v->run(&s);
}

/* Gives standard input, output and error a place if the caller closed them, so that no file we open
 * takes theirs. */
static void keep_standard_files(void)
{
    int fd;
    while ((fd = open("/dev/null", O_RDONLY)) >= 0 && fd <= STDERR_FILENO)
        ;
    if (fd >= 0)
        close(fd);
}

int main(int argc, char **argv)
{
    keep_standard_files();
    /* a closed pipe and a limit on the size of files are write errors, which are handled */
    signal(SIGPIPE, SIG_IGN);
#ifdef SIGXFSZ
    signal(SIGXFSZ, SIG_IGN);
#endif
    return finish_output(run_verb(argc, argv));
}
