/* options.c - a verb's options from their tables, and the command line read by them. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/* ---- the options of a verb ----------------------------------------------------------------- */

enum { OF_LAST, OF_THREADS, OF_QUIET, OF_JSON, OF_HELP };

/* clang-format off */
static const ur_field common_fields[] = {
    [OF_LAST] = {.name = "last", .type = UR_FIELD_BOOL, .offset = offsetof(common_options, last), .help = "Take the last weights of the training in place of those with the least validation loss."},
    [OF_THREADS] = {.name = "threads", .metavar = "N", .type = UR_FIELD_SIZE, .offset = offsetof(common_options, threads), .least = 1, .most = 1024, .shown = "all there are", .help = "Threads to compute with. Results do not depend on it, to the last bit."},
    [OF_QUIET] = {.name = "quiet", .type = UR_FIELD_BOOL, .offset = offsetof(common_options, quiet), .help = "Say nothing but errors."},
    [OF_JSON] = {.name = "json", .type = UR_FIELD_BOOL, .offset = offsetof(common_options, json)},
    [OF_HELP] = {.name = "help", .type = UR_FIELD_BOOL, .offset = offsetof(common_options, help), .help = "Print this text."},
    {.name = NULL},
};
/* clang-format on */

static bool add_option(command *c, option o)
{
    if (c->n_options == c->capacity) {
        const size_t capacity = c->capacity ? 2 * c->capacity : 64;
        option *larger = realloc(c->options, capacity * sizeof *larger);
        if (!larger)
            return false;
        c->options = larger;
        c->capacity = capacity;
    }
    c->options[c->n_options++] = o;
    return true;
}

static bool is_hidden(const ur_kind *kind, const ur_field *field)
{
    if (kind && !kind->splits && field->offset == offsetof(ur_run_settings, valid_split))
        return true;
    for (const char *const *name = kind ? kind->hides : NULL; name && *name; name++)
        if (strcmp(*name, field->name) == 0)
            return true;
    return false;
}

/* What every kind says in its own words, or leaves out. */
static bool is_of_data(const ur_field *field)
{
    return field->group && strcmp(field->group, "data") == 0;
}

static bool shows(const command *c, const ur_field *fields, const ur_field *f)
{
    if (f->flag && !*f->flag)
        return false;
    if (fields == c->verb->fields || fields == ur_search_fields())
        return !c->verb->has || c->verb->has(c, f);
    if (fields == ur_run_settings_fields())
        return c->kind ? !is_hidden(c->kind, f) : !is_of_data(f);
    if (fields == common_fields)
        return (c->verb->weights || f != &common_fields[OF_LAST]) &&
               (c->verb->threads || f != &common_fields[OF_THREADS]) &&
               (c->verb->json_help || f != &common_fields[OF_JSON]);
    return true;
}

static bool add_fields(command *c, const ur_field *fields, void *config)
{
    for (const ur_field *f = fields; f && f->name; f++)
        if (shows(c, fields, f) &&
            !add_option(c, (option){.field = f, .fields = fields, .config = config}))
            return false;
    return true;
}

static bool add_shorthands(command *c)
{
    for (const ur_shorthand *s = c->kind ? c->kind->shorthands : NULL; s && s->flag; s++)
        if (!add_option(c,
                        (option){.shorthand = s, .fields = c->kind->fields, .config = c->config}))
            return false;
    return true;
}

/* Options of the search, --max-tokens as the verb has it. */
static bool add_search(command *c)
{
    const size_t first = c->n_options;
    ur_fields_default(ur_search_fields(), &c->search);
    if (!add_fields(c, ur_search_fields(), &c->search))
        return false;
    for (size_t i = first; i < c->n_options; i++) {
        option *o = &c->options[i];
        if (o->field->offset == offsetof(ur_search_options, most)) {
            snprintf(c->most_tokens, sizeof c->most_tokens, "%zu", c->verb->most_tokens);
            o->shown = c->verb->most_tokens ? c->most_tokens : "the model's limit";
        }
        if (o->field->offset == offsetof(ur_search_options, temperature) && c->verb->temperature) {
            o->shown = c->verb->temperature;
            if (ur_field_set(o->field, &c->search, c->verb->temperature, NULL) != UR_OK)
                return false;
        }
    }
    c->search.most = c->verb->most_tokens;
    return true;
}

static bool is_of_reading(const ur_field *f)
{
    return strncmp(f->name, "read.", 5) == 0;
}

/* Every kind's ways to read files and texts, each option once. */
static bool add_reading(command *c)
{
    const ur_kind *kind;
    size_t size = 1;
    char name[OPTION_NAME];
    for (size_t i = 0; (kind = ur_kind_at(NULL, i)); i++)
        size = kind->config_size > size ? kind->config_size : size;
    c->reading = calloc(1, size);
    for (size_t i = 0; c->reading && (kind = ur_kind_at(NULL, i)); i++)
        for (const ur_field *f = kind->fields; f->name; f++)
            if (is_of_reading(f) && !find_option(c, ur_field_flag(f, name, sizeof name)) &&
                !add_option(c, (option){.field = f, .fields = kind->fields, .config = c->reading}))
                return false;
    return c->reading != NULL;
}

bool open_command(command *c, const verb *v, const ur_kind *kind)
{
    *c = (command){.verb = v, .kind = kind};
    snprintf(c->name, sizeof c->name, "%s%s%s", v->name, kind ? " " : "", kind ? kind->verb : "");
    c->own = calloc(1, v->size + 1);
    c->config = calloc(1, kind ? kind->config_size : 1);
    bool fits = c->own && c->config;
    if (fits && v->fields)
        ur_fields_default(v->fields, c->own);
    if (fits && kind)
        ur_kind_defaults(kind, c->config);
    if (v->trains)
        c->settings = ur_run_defaults(kind);
    /* in groups that several have a part in, what every training has stands first */
    if (v->trains)
        fits = fits && add_fields(c, ur_run_settings_fields(), &c->settings);
    fits = fits && add_fields(c, v->fields, c->own);
    if (kind)
        fits = fits && add_fields(c, kind->fields, c->config) && add_shorthands(c);
    if (v->reads)
        fits = fits && add_reading(c);
    if (v->searches)
        fits = fits && add_search(c);
    fits = fits && add_fields(c, common_fields, &c->common);
    if (fits)
        return true;
    close_command(c);
    say_no_memory();
    return false;
}

void close_command(command *c)
{
    while (c->n_joined)
        free(c->joined[--c->n_joined]);
    free(c->options);
    free(c->own);
    free(c->config);
    free(c->reading);
    *c = (command){.verb = NULL};
}

const char *option_name(const option *o, char name[OPTION_NAME])
{
    if (o->field)
        return ur_field_flag(o->field, name, OPTION_NAME);
    snprintf(name, OPTION_NAME, "%s", o->shorthand->flag);
    return name;
}

option *find_option(const command *c, const char *name)
{
    char own[OPTION_NAME];
    for (size_t i = 0; i < c->n_options; i++) {
        option *o = &c->options[i];
        if (strcmp(option_name(o, own), name) == 0 ||
            (o->field && o->field->alias && strcmp(o->field->alias, name) == 0))
            return o;
    }
    return NULL;
}

bool was_given(const command *c, const char *name)
{
    const option *o = find_option(c, name);
    return o && o->given;
}

bool takes_no_value(const option *o)
{
    return !o->field || o->field->type == UR_FIELD_BOOL;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* What a flag means: "no-x" is the opposite of x. */
static const char *flag_value(const ur_field *f)
{
    char name[OPTION_NAME];
    return strncmp(ur_field_flag(f, name, sizeof name), "no-", 3) == 0 ? "false" : "true";
}

static bool set_option(const command *c, const option *o)
{
    const ur_field *f = o->field;
    char name[OPTION_NAME];
    ur_err err;
    const ur_status status =
        o->shorthand ? ur_fields_apply(o->fields, o->config, o->shorthand->settings, &err)
        : f->type == UR_FIELD_BOOL ? ur_field_set(f, o->config, flag_value(f), &err)
                                   : ur_field_set(f, o->config, o->value, &err);
    if (status == UR_OK)
        return true;
    const bool shown = o->value && f->type != UR_FIELD_TEXT;
    say_usage(c, "--%s%s%s: %s", option_name(o, name), shown ? " " : "", shown ? o->value : "",
              err.text);
    return false;
}

static bool has_option(const verb *v, const ur_kind *kind, const char *name)
{
    command c;
    if (!open_command(&c, v, kind))
        return false;
    const bool has = find_option(&c, name);
    close_command(&c);
    return has;
}

/* The kind, of this verb's if possible, whose training has that option; NULL: none has. */
static const ur_kind *other_owner(const command *c, const char *name)
{
    const ur_kind *kind, *owner = NULL;
    for (size_t i = 0; c->kind && (kind = ur_kind_at(NULL, i)); i++) {
        const bool near = kind->verb && strcmp(kind->verb, c->kind->verb) == 0;
        if (kind->verb && (near || !owner) && has_option(c->verb, kind, name))
            owner = kind;
    }
    return owner;
}

static void say_other(const command *c, const char *name, const ur_kind *owner)
{
    const bool same_verb = strcmp(owner->verb, c->kind->verb) == 0;
    if (!same_verb || (!c->kind->chosen_by && !owner->chosen_by))
        say_usage(c, "--%s is an option of unroll train %s, not of unroll %s", name, owner->verb,
                  c->name);
    else if (c->kind->chosen_by)
        say_usage(c, "--%s does not go with --%s", name, c->kind->chosen_by);
    else
        say_usage(c, "--%s goes with --%s alone", name, owner->chosen_by);
}

static int nearest_option(const command *c, const char *text)
{
    char(*names)[OPTION_NAME] = malloc(c->n_options * sizeof *names);
    const char **list = malloc(c->n_options * sizeof *list);
    int near = -1;
    if (names && list) {
        for (size_t i = 0; i < c->n_options; i++)
            list[i] = option_name(&c->options[i], names[i]);
        near = nearest_name(text, c->n_options, list);
    }
    free(names);
    free(list);
    return near;
}

static void say_unknown(const command *c, const char *text)
{
    char name[OPTION_NAME];
    const char *bare = text + strspn(text, "-");
    const ur_kind *owner = text[1] == '-' ? other_owner(c, bare) : NULL;
    const int near = owner ? -1 : nearest_option(c, bare);
    if (owner)
        say_other(c, bare, owner);
    else if (near >= 0)
        say_usage(c, "unknown option %s; did you mean --%s?", text,
                  option_name(&c->options[near], name));
    else
        say_usage(c, "unknown option %s (a text that begins with - goes after --)", text);
}

/* Whether an option of training names data, which may then be two files. */
static bool takes_two_files(const command *c, const option *o)
{
    return c->kind && c->kind->two_files && o->fields == ur_run_settings_fields() &&
           o->field->type == UR_FIELD_TEXT && is_of_data(o->field);
}

const char *two_files(command *c, const char *first, const char *second)
{
    char *both = malloc(strlen(first) + strlen(second) + 2);
    if (!both || c->n_joined == sizeof c->joined / sizeof *c->joined) {
        free(both);
        say_no_memory();
        return NULL;
    }
    sprintf(both, "%s\t%s", first, second);
    c->joined[c->n_joined++] = both;
    return both;
}

/* Reads the option at argv[*at], and its value, which may be the next argument. */
static bool read_option(command *c, int argc, char **argv, int *at)
{
    const char *text = argv[*at];
    char own[OPTION_NAME], name[OPTION_NAME];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(text, "="), text);
    const char *value = strchr(text, '=') ? strchr(text, '=') + 1 : NULL;
    option *o = text[1] == '-' ? find_option(c, name + 2) : NULL;
    if (!o) {
        say_unknown(c, name);
        return false;
    }
    option_name(o, own);
    if (takes_no_value(o) && value) {
        say_usage(c, "--%s takes no value, but was given '%s'", own, value);
        return false;
    }
    const bool by_alias = o->field && o->field->alias && strcmp(o->field->alias, name + 2) == 0;
    if (!takes_no_value(o) && !value && (!o->field->bare || by_alias)) {
        if (*at + 1 == argc || strncmp(argv[*at + 1], "--", 2) == 0) {
            say_usage(c, "--%s needs a value: --%s %s", own, own,
                      o->field->metavar ? o->field->metavar : "VALUE");
            return false;
        }
        value = argv[++*at];
        if (takes_two_files(c, o) && *at + 1 < argc && argv[*at + 1][0] != '-' &&
            !(value = two_files(c, value, argv[++*at])))
            return false;
    }
    o->given = true;
    o->value = value;
    return set_option(c, o);
}

bool read_options(command *c, int argc, char **argv)
{
    bool options = true;
    c->arguments = argv; /* what is no option moves to the front */
    for (int at = 0; at < argc; at++) {
        char *text = argv[at];
        if (options && strcmp(text, "--") == 0) {
            options = false;
        } else if (options && (!strcmp(text, "-h") || !strcmp(text, "--help"))) {
            c->common.help = true;
            return true;
        } else if (options && text[0] == '-' && text[1] != '\0') {
            if (!read_option(c, argc, argv, &at))
                return false;
        } else {
            c->arguments[c->n_arguments++] = text;
        }
    }
    return true;
}

/* The field that an option of this name is of the kind's; NULL: there is none. */
static const ur_field *reading_field(const ur_kind *kind, const char *name)
{
    const ur_field *f = ur_field_find_flag(kind->fields, name);
    return f && is_of_reading(f) ? f : NULL;
}

int set_reading(const command *c, ur_run *run)
{
    const ur_kind *kind = ur_run_kind(run);
    char name[OPTION_NAME];
    ur_err err;
    for (size_t i = 0; i < c->n_options; i++) {
        const option *o = &c->options[i];
        if (!o->given || o->config != c->reading)
            continue;
        const ur_field *f = reading_field(kind, option_name(o, name));
        if (!f)
            return say_usage(c, "--%s: %s is a %s, for which there is no such option", name,
                             c->arguments[0], kind->name);
        const char *value = takes_no_value(o) ? flag_value(f) : o->value;
        if (ur_run_set_reading(run, f->name, value, &err) != UR_OK)
            return say_usage(c, "--%s: %s", name, err.text);
    }
    return CODE_OK;
}

/* ---- what goes together -------------------------------------------------------------------- */

/* "--schedule step or plateau" for "schedule=step|plateau", "--resume" for "resume=true". */
static void owner_text(const option *o, const ur_field *field, char *text, size_t capacity)
{
    char name[OPTION_NAME], flag[OPTION_NAME];
    const char *value = field->belongs + strcspn(field->belongs, "=");
    snprintf(name, sizeof name, "%.*s", (int)(value - field->belongs), field->belongs);
    const ur_field *owner = ur_field_find(o->fields, name);
    size_t used = (size_t)snprintf(text, capacity, "--%s",
                                   owner ? ur_field_flag(owner, flag, sizeof flag) : name);
    if (owner && owner->type == UR_FIELD_BOOL)
        return;
    for (bool first = true; *value && used < capacity; first = false) {
        const int length = (int)strcspn(++value, "|");
        used += (size_t)snprintf(text + used, capacity - used, "%s%.*s", first ? " " : " or ",
                                 length, value);
        value += length;
    }
}

/* Whether a field that the option sets is of use beside the others. */
static bool check_belongs(const command *c, const option *o, const ur_field *field)
{
    char name[OPTION_NAME], owner[200];
    if (!field || !field->belongs || ur_field_applies(o->fields, field, o->config))
        return true;
    owner_text(o, field, owner, sizeof owner);
    say_usage(c, "--%s belongs to %s", option_name(o, name), owner);
    return false;
}

/* A shorthand may stand beside what it stands for, with the same value. */
static bool check_shorthand(const command *c, const option *o)
{
    char own[OPTION_NAME], other[OPTION_NAME];
    for (const ur_setting *s = o->shorthand ? o->shorthand->settings : NULL; s && s->name; s++) {
        const ur_field *field = ur_field_find(o->fields, s->name);
        if (!check_belongs(c, o, field))
            return false;
        const option *beside =
            field ? find_option(c, ur_field_flag(field, other, sizeof other)) : NULL;
        if (!beside || !beside->given || !beside->value || strcmp(beside->value, s->value) == 0)
            continue;
        say_usage(c, "--%s goes with --%s %s, not %s", option_name(o, own), other, s->value,
                  beside->value);
        return false;
    }
    return true;
}

/* ---- searches ------------------------------------------------------------------------------ */

const ur_search_options *given_search(command *c)
{
    ur_search_options *s = &c->search;
    bool given = c->verb->most_tokens > 0;
    for (size_t i = 0; i < c->n_options; i++)
        given = given || (c->options[i].given && c->options[i].config == s);
    /* what narrows a draw asks for one, and the best n for as many hypotheses */
    if (!was_given(c, "beam"))
        s->beam = s->n_best;
    if (!was_given(c, "temperature") && (s->beam > 1 || was_given(c, "greedy")))
        s->temperature = 0.0f;
    else if (!was_given(c, "temperature") && !c->verb->temperature &&
             (was_given(c, "top-k") || was_given(c, "top-p")))
        s->temperature = 1.0f;
    return given ? s : NULL;
}

static bool check_search(command *c)
{
    ur_err err;
    const ur_search_options *search = c->verb->searches ? given_search(c) : NULL;
    if (!search || ur_search_check(search, &err) == UR_OK)
        return true;
    say_usage(c, "%s", err.text);
    return false;
}

bool check_options(command *c)
{
    for (size_t i = 0; i < c->n_options; i++)
        if (c->options[i].given && !(check_belongs(c, &c->options[i], c->options[i].field) &&
                                     check_shorthand(c, &c->options[i])))
            return false;
    return check_search(c);
}

/* ---- presets ------------------------------------------------------------------------------- */

bool set_given(command *c)
{
    for (size_t i = 0; i < c->n_options; i++)
        if (c->options[i].given && !set_option(c, &c->options[i]))
            return false;
    return true;
}

bool apply_preset(command *c, const ur_preset *preset)
{
    ur_err err;
    for (const ur_setting *s = preset->settings; s->name; s++) {
        const ur_setting one[] = {*s, {.name = NULL}};
        const bool own = ur_field_find(c->kind->fields, s->name);
        if (ur_fields_apply(own ? c->kind->fields : ur_run_settings_fields(),
                            own ? c->config : &c->settings, one, &err) != UR_OK) {
            say_usage(c, "--preset %s: %s", preset->name, err.text);
            return false;
        }
    }
    return set_given(c);
}
