/* main.c - finds the verb and runs it. */
#include "cli.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

const verb *const *all_verbs(void)
{
    static const verb *const verbs[] = {
        &train_verb, &eval_verb, &score_verb,   &predict_verb, &generate_verb,    &embed_verb,
        &fill_verb,  &plot_verb, &average_verb, &inspect_verb, &completions_verb, NULL};
    return verbs;
}

static const verb *find_verb(const char *name)
{
    for (const verb *const *v = all_verbs(); *v; v++)
        if (strcmp((*v)->name, name) == 0)
            return *v;
    return NULL;
}

/* What other programs call a verb, and what it is called here. */
static const char *const other_names[][2] = {
    {"evaluate", "eval"},    {"test", "eval"},         {"measure", "eval"},
    {"infer", "predict"},    {"answer", "predict"},    {"tag", "predict"},
    {"classify", "predict"}, {"translate", "predict"}, {"run", "predict"},
    {"sample", "generate"},  {"write", "generate"},    {"complete", "generate"},
    {"fit", "train"},        {"learn", "train"},       {"resume", "train"},
    {"draw", "plot"},        {"show", "inspect"},      {"list", "inspect"},
    {"info", "inspect"},     {"encode", "embed"},      {"vectors", "embed"},
    {"unmask", "fill"},
};

static int say_unknown_verb(const char *name)
{
    const char *names[16];
    size_t n = 0;
    const ur_kind *kind = kind_of_word(name, 0);
    if (kind)
        return say_usage(NULL, "'%s' is no verb; did you mean unroll train %s?", name, kind->verb);
    for (size_t i = 0; i < sizeof other_names / sizeof *other_names; i++)
        if (strcmp(name, other_names[i][0]) == 0)
            return say_usage(NULL, "unknown verb '%s'; here it is: unroll %s", name,
                             other_names[i][1]);
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
    const bool listed = argc > 0 && strcmp(argv[0], "--list") == 0; /* for programs */
    argc -= listed;
    argv += listed;
    if (argc == 0) {
        print_help(stdout);
        return CODE_OK;
    }
    const verb *v = find_verb(argv[0]);
    if (!v)
        return say_unknown_verb(argv[0]);
    const ur_kind *kind = v->trains && argc > 1 ? kind_of_word(argv[1], 0) : NULL;
    return print_verb_help(stdout, v, kind ? kind->verb : NULL, listed) ? CODE_OK : CODE_MEMORY;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

/* Reads the rest of the command line and does what it says. */
static int run_command(const verb *v, int argc, char **argv)
{
    command c;
    const ur_kind *kind = NULL;
    int code = v->trains ? choose_kind(argc, argv, &kind) : CODE_OK;
    const int words = kind ? 1 : 0; /* what is trained was named */
    if (code != CODE_OK)
        return code;
    if (!open_command(&c, v, kind))
        return CODE_MEMORY;
    if (v->trains && !kind) { /* there are no options yet to read the rest by */
        c.arguments = argv;
        c.n_arguments = (size_t)argc;
        c.common.help = asks_for_help(argc, argv);
    } else if (!read_options(&c, argc - words, argv + words)) {
        code = CODE_USAGE;
    }
    if (code == CODE_OK && c.common.help)
        code = print_verb_help(stdout, v, kind ? kind->verb : NULL, false) ? CODE_OK : CODE_MEMORY;
    else if (code == CODE_OK)
        code = v->trains || check_options(&c) ? v->run(&c) : CODE_USAGE;
    close_command(&c);
    return code;
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
    return run_command(v, argc - 2, argv + 2);
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
    static char output[1 << 16];
    keep_standard_files();
    /* what a verb prints in one go is written by the flush that tells why it could not be */
    if (!isatty(STDOUT_FILENO))
        setvbuf(stdout, output, _IOFBF, sizeof output);
    /* a closed pipe and a limit on the size of files are write errors, which are handled */
    signal(SIGPIPE, SIG_IGN);
#ifdef SIGXFSZ
    signal(SIGXFSZ, SIG_IGN);
#endif
    return finish_output(run_verb(argc, argv));
}
