/* completions.c - unroll completions: scripts with which shells complete command lines. They ask the
 * tool itself, so that what they offer is what the tables have. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static const char bash[] =
    "_unroll() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} words\n"
    "    words=$(unroll completions words -- \"${COMP_WORDS[@]:1:COMP_CWORD-1}\" 2>/dev/null |\n"
    "        cut -d: -f1)\n"
    "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
    "}\n"
    "complete -o default -F _unroll unroll\n";

static const char zsh[] =
    "#compdef unroll\n"
    "local -a list\n"
    "list=(${(f)\"$(unroll completions words -- \"${(@)words[2,CURRENT-1]}\" 2>/dev/null)\"})\n"
    "case $list in\n"
    "'') _files ;;\n"
    "--*) _describe -o option list ;;\n"
    "*) _describe word list ;;\n"
    "esac\n";

static void offer(const char *name, const char *help)
{
    printf("%s:%s\n", name, help ? help : "");
}

static void offer_verbs(void)
{
    for (const verb *const *v = all_verbs(); *v; v++)
        offer((*v)->name, (*v)->summary);
    offer("help", "what a verb does");
}

static void offer_trained(void)
{
    const ur_kind *kind;
    for (size_t i = 0; (kind = trained_at(i)); i++)
        offer(kind->verb, kind->summary);
}

/* What may be the value of the option that `last` is; false: it is none that takes one. */
static bool offer_values(const command *c, const char *last)
{
    char word[64];
    const option *o = strncmp(last, "--", 2) == 0 ? find_option(c, last + 2) : NULL;
    if (!o || takes_no_value(o) || o->field->bare)
        return false;
    const bool listed = o->field->type == UR_FIELD_ENUM || o->field->type == UR_FIELD_NAME;
    for (size_t i = 0; listed && ur_field_word(o->field, i, word, sizeof word); i++)
        offer(word, NULL);
    return true;
}

static void offer_options(const command *c)
{
    char name[OPTION_NAME + 2] = "--";
    for (size_t i = 0; i < c->n_options; i++) {
        char *text = option_text(c, &c->options[i]);
        option_name(&c->options[i], name + 2);
        offer(name, text);
        free(text);
    }
}

/* The value of an option; else the options, of every kind that `word` trains. */
static int offer_arguments(const verb *v, const char *word, const char *last)
{
    bool values = false;
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; !values && (v->trains ? kind_of_word(word, i) != NULL : i == 0); i++) {
            command c;
            if (!open_command(&c, v, v->trains ? kind_of_word(word, i) : NULL))
                return CODE_MEMORY;
            if (round == 0)
                values = offer_values(&c, last);
            else
                offer_options(&c);
            close_command(&c);
        }
    return CODE_OK;
}

/* What may stand behind these words: a line each, what it means behind a colon. */
static int offer_next(size_t n, char **words)
{
    const verb *v = NULL;
    for (const verb *const *all = all_verbs(); n > 0 && *all; all++)
        v = strcmp((*all)->name, words[0]) == 0 ? *all : v;
    if (n == 0 || (n == 1 && strcmp(words[0], "help") == 0))
        offer_verbs();
    else if (n == 1 && v && v->trains)
        offer_trained();
    else if (v)
        return offer_arguments(v, n > 1 ? words[1] : "", words[n - 1]);
    return CODE_OK;
}

static int run_completions(command *c)
{
    const char *what = c->n_arguments ? c->arguments[0] : "";
    if (strcmp(what, "words") == 0)
        return offer_next(c->n_arguments - 1, c->arguments + 1);
    if (c->n_arguments != 1 || (strcmp(what, "bash") != 0 && strcmp(what, "zsh") != 0))
        return say_usage(c, "the name of a shell is expected: bash or zsh");
    fputs(*what == 'b' ? bash : zsh, stdout);
    return CODE_OK;
}

static const char *const usage[] = {"completions bash|zsh", NULL};

const verb completions_verb = {
    .name = "completions",
    .summary = "print what a shell needs to complete command lines",
    .usage = usage,
    .purpose = "Prints a script with which bash or zsh completes verbs, options and their words. "
               "make install puts both where the shells look for them.",
    .example = "  $ source <(unroll completions bash)\n",
    .see_also = "unroll help",
    .run = run_completions,
};
