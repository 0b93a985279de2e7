/* options.c - reads the options of a verb by its table. */
#include "cli.h"

#include <string.h>

settings default_settings(const verb *v)
{
    ur_train_options train = ur_train_defaults();
    settings s = {
        .batch = train.batch,
        .epochs = train.epochs,
        .max_steps = train.max_steps,
        .optimizer = (int)train.optimizer,
        .lr = train.lr,
        .clip = train.clip,
        .beta1 = train.beta1,
        .beta2 = train.beta2,
        .eps = train.eps,
        .momentum = train.momentum,
        .weight_decay = train.weight_decay,
        .seed = train.seed,
        .schedule = (int)train.schedule,
        .lr_epochs = train.lr_epochs,
        .lr_factor = train.lr_factor,
        .lr_patience = train.lr_patience,
        .lr_min = train.lr_min,
        .warmup = train.warmup_steps,
        .early_stop = train.early_stop,
    };
    if (v->defaults)
        v->defaults(&s);
    return s;
}

const option *option_at(const verb *v, size_t i)
{
    for (const option_table *const *t = v->tables; *t; t++) {
        if (i < (*t)->n)
            return &(*t)->options[i];
        i -= (*t)->n;
    }
    return NULL;
}

const char *last_word(const verb *v)
{
    const char *space = strrchr(v->name, ' ');
    return space ? space + 1 : v->name;
}

/* The option of that name and its number, NULL when there is none. */
static const option *find_option(const verb *v, const char *name, size_t length, size_t *number)
{
    const option *o;
    for (*number = 0; (o = option_at(v, *number)); ++*number)
        if (strlen(o->name) == length && !strncmp(o->name, name, length))
            return o;
    return NULL;
}

bool was_given(const verb *v, const settings *s, const char *name)
{
    size_t number;
    return find_option(v, name, strlen(name), &number) && (s->given >> number & 1);
}

static void *member(settings *s, const option *o)
{
    return (char *)s + o->offset;
}

/* Whether the option can stand without an argument; *index is then what it means. */
static bool bare_choice(const option *o, int *index)
{
    for (int i = 0; o->kind == OPTION_CHOICE && o->choices[i]; i++) {
        if (o->choices[i][0] == '\0') {
            *index = i;
            return true;
        }
    }
    return false;
}

static bool set_choice(const verb *v, const option *o, const char *text, settings *s)
{
    char list[120] = "";
    size_t used = 0;
    for (int i = 0; o->choices[i]; i++) {
        if (o->choices[i][0] == '\0' || o->choices[i][0] == ' ')
            continue;
        if (strcmp(o->choices[i], text) == 0) {
            *(int *)member(s, o) = i;
            return true;
        }
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? " or " : "",
                                 o->choices[i]);
    }
    say_usage(v, "--%s %s: expected %s", o->name, text, list);
    return false;
}

static bool set_size(const verb *v, const option *o, const char *text, settings *s)
{
    uint64_t number;
    if (read_whole(text, &number) && (double)number >= o->least && (double)number <= o->most) {
        *(size_t *)member(s, o) = (size_t)number;
        return true;
    }
    say_usage(v, "--%s %s: expected a whole number from %.0f to %.0f", o->name, text, o->least,
              o->most);
    return false;
}

static bool set_seed(const verb *v, const option *o, const char *text, settings *s)
{
    if (read_whole(text, member(s, o)))
        return true;
    say_usage(v, "--%s %s: expected a whole number from 0 to 18446744073709551615", o->name, text);
    return false;
}

static bool set_real(const verb *v, const option *o, const char *text, settings *s)
{
    double number;
    if (read_real(text, &number) && number >= o->least && number <= o->most &&
        !(o->open & OPEN_LEAST && number <= o->least) &&
        !(o->open & OPEN_MOST && number >= o->most)) {
        *(double *)member(s, o) = number;
        return true;
    }
    say_usage(v, "--%s %s: expected a number %s %g and %s %g", o->name, text,
              o->open & OPEN_LEAST ? "above" : "of at least", o->least,
              o->open & OPEN_MOST ? "below" : "at most", o->most);
    return false;
}

static bool set_value(const verb *v, const option *o, const char *text, settings *s)
{
    switch (o->kind) {
    case OPTION_FLAG:
        break;
    case OPTION_TEXT:
        if ((double)strlen(text) < o->least) {
            say_usage(v, "--%s: expected %s, not an empty text", o->name, o->value);
            return false;
        }
        *(const char **)member(s, o) = text;
        return true;
    case OPTION_SIZE:
        return set_size(v, o, text, s);
    case OPTION_SEED:
        return set_seed(v, o, text, s);
    case OPTION_REAL:
        return set_real(v, o, text, s);
    case OPTION_CHOICE:
        return set_choice(v, o, text, s);
    }
    say_usage(v, "--%s takes no value, but was given '%s'", o->name, text);
    return false;
}

static void say_unknown(const verb *v, const char *text, size_t length)
{
    const char *names[MOST_OPTIONS];
    char name[64];
    size_t n = 0;
    for (const option *o; n < MOST_OPTIONS && (o = option_at(v, n)); n++)
        names[n] = o->name;
    snprintf(name, sizeof name, "%.*s", (int)(length < 60 ? length : 60), text);
    const char *shown = name;
    while (*shown == '-')
        shown++;
    int near = nearest_name(shown, n, names);
    if (near >= 0)
        say_usage(v, "unknown option %s; did you mean --%s?", name, names[near]);
    else
        say_usage(v, "unknown option %s (a text that begins with - goes after --)", name);
}

/* Reads the option at argv[*at], and its value, which may be the next argument. */
static bool read_option(const verb *v, int argc, char **argv, int *at, settings *s)
{
    const char *text = argv[*at];
    size_t length = strcspn(text, "=");
    const char *value = text[length] ? text + length + 1 : NULL;
    size_t number;
    const option *o = text[1] == '-' ? find_option(v, text + 2, length - 2, &number) : NULL;
    int bare;
    if (!o) {
        say_unknown(v, text, length);
        return false;
    }
    s->given |= (uint64_t)1 << number;
    if (value)
        return set_value(v, o, value, s);
    if (o->kind == OPTION_FLAG) {
        *(bool *)member(s, o) = true;
        return true;
    }
    if (bare_choice(o, &bare)) {
        *(int *)member(s, o) = bare;
        return true;
    }
    if (*at + 1 == argc || strncmp(argv[*at + 1], "--", 2) == 0) {
        say_usage(v, "--%s needs a value: --%s %s", o->name, o->name, o->value);
        return false;
    }
    *at += 1;
    return set_value(v, o, argv[*at], s);
}

bool read_options(const verb *v, int argc, char **argv, settings *s)
{
    bool options = true;
    *s = default_settings(v);
    s->arguments = argv; /* what is no option moves to the front */
    for (int at = 0; at < argc; at++) {
        char *text = argv[at];
        if (options && strcmp(text, "--") == 0) {
            options = false;
        } else if (options && (!strcmp(text, "-h") || !strcmp(text, "--help"))) {
            s->help = true;
            return true;
        } else if (options && text[0] == '-' && text[1] != '\0') {
            if (!read_option(v, argc, argv, &at, s))
                return false;
        } else {
            s->arguments[s->n_arguments++] = text;
        }
    }
    return true;
}
