/* main.c - finds the verb and runs it. */
#include "cli.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

const verb *const *all_verbs(void)
{
    static const verb *const verbs[] = {&train_verb, &eval_verb,    &predict_verb, &generate_verb,
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

/* The verb of two words that begins with v and goes on with `word`; NULL when there is none. */
static const verb *find_part(const verb *v, const char *word)
{
    for (size_t i = 0; v->parts && v->parts[i]; i++)
        if (strcmp(last_word(v->parts[i]), word) == 0)
            return v->parts[i];
    return NULL;
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
    const verb *part = argc > 1 ? find_part(v, argv[1]) : NULL;
    print_verb_help(stdout, part ? part : v);
    return CODE_OK;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
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
    argc -= 2;
    argv += 2;
    const verb *part = argc > 0 ? find_part(v, argv[0]) : NULL;
    if (part) {
        v = part;
        argc--;
        argv++;
    }
    settings s = default_settings(v);
    if (v->parts) { /* none was named: there are no options yet to read the rest by */
        s.arguments = argv;
        s.n_arguments = (size_t)argc;
        s.help = asks_for_help(argc, argv);
    } else if (!read_options(v, argc, argv, &s)) {
        return CODE_USAGE;
    }
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
