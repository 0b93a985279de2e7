/* unroll/field.h - configuration structs described member by member.
 *
 * A table of ur_field describes each member of a struct once. Default values, range checks,
 * config.json, command lines, help texts, manual pages and completions are made by walking it. A
 * table ends with an entry whose name is NULL. Values as text are written as on a command line. */
#ifndef UNROLL_FIELD_H
#define UNROLL_FIELD_H

#include "unroll/core.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ur_field_type {
    UR_FIELD_BOOL,  /* bool */
    UR_FIELD_SIZE,  /* size_t in [least, most]; word i of `words` stands for SIZE_MAX - i */
    UR_FIELD_ID,    /* int32_t in [least, most] */
    UR_FIELD_SEED,  /* uint64_t, any */
    UR_FIELD_REAL,  /* double in [least, most] */
    UR_FIELD_FLOAT, /* float in [least, most] */
    UR_FIELD_ENUM,  /* an enumeration (int): the index of one of `words` */
    UR_FIELD_NAME, /* const char *: one of `words`, or of the list `word`, whose string it points to */
    UR_FIELD_TEXT /* const char *: any text of at least `least` bytes; NULL: not given */
} ur_field_type;

/* Ends of [least, most] that are left out. */
enum { UR_OPEN_LEAST = 1, UR_OPEN_MOST = 2 };

/* One member. What a table leaves out is NULL or 0. */
typedef struct ur_field {
    const char *name; /* the key in config.json; "text.lower" is lower of the object text */
    const char
        *flag; /* the option of the tool, without the dashes; NULL: the last part of the name,
                            with - for _; "": none. "no-X" sets a bool to false */
    const char
        *alias; /* another name of the option, which help does not show, and which takes its value
                            as any option does where `bare` makes that a matter of = */
    const char *metavar; /* what help calls the value: "N"; in brackets where it may be left out */
    const char *group;   /* the heading in help that the option stands under */
    ur_field_type type;
    size_t offset; /* of the member in its struct */
    double least, most;
    int open;
    const char *const *words;    /* ended by NULL. "A|B": A, as which B is also read */
    const char *(*word)(size_t); /* in place of words: number i of a list, NULL behind the last */
    const char *const *synonyms; /* pairs, ended by NULL: what else is read, and as which word */
    const char *initial;         /* the default as text; NULL: false, 0, the first word, no text */
    const char *absent;  /* what a configuration without this key means; NULL: it must have it
                                    (of a text, "" is none) */
    const char *bare;    /* what the option means without a value; NULL: it needs one */
    const char *shown;   /* the default as help says it; NULL: `initial`; "": not said */
    const char *belongs; /* "schedule=step|plateau": of use only where that field has one of these
                            values; NULL: always */
    bool of_data;        /* what one training's data decides, or how it is read: a model that starts
                            with another's weights does not take it over (ur_fields_take) */
    const char *help;    /* a sentence or two */
} ur_field;

/* A value for the field of that name. Lists end with a name of NULL. */
typedef struct ur_setting {
    const char *name, *value;
} ur_setting;

/* The field of that name (or of that option, without dashes; its alias counts), or NULL. */
const ur_field *ur_field_find(const ur_field *fields, const char *name);
const ur_field *ur_field_find_flag(const ur_field *fields, const char *flag);
/* The option's name without dashes, "" for none; fresh bytes in `text` (64 is enough). */
const char *ur_field_flag(const ur_field *field, char *text, size_t capacity);
/* Word i that the field accepts, without its alternatives, in `text`; false behind the last. */
bool ur_field_word(const ur_field *field, size_t i, char *text, size_t capacity);

/* Sets every member to its default. */
void ur_fields_default(const ur_field *fields, void *config);

/* Reads one value; text NULL: what the option means alone. Texts and names are not copied: a text
 * must outlive the struct. UR_INVALID says what was expected: "expected a whole number from 1 to 9". */
ur_status ur_field_set(const ur_field *field, void *config, const char *text, ur_err *err);
/* The values of a list. UR_INVALID names the field. */
ur_status ur_fields_apply(const ur_field *fields, void *config, const ur_setting *settings,
                          ur_err *err);

/* Every member that is not `of_data` becomes what it is in `from`. Texts are not copied. */
void ur_fields_take(const ur_field *fields, void *config, const void *from);

/* Whether every member is in its range. UR_INVALID: "WHAT: NAME is 70000, 1 to 65536 expected". */
ur_status ur_fields_check(const ur_field *fields, const void *config, const char *what,
                          ur_err *err);

/* Whether the field is of use beside the values of the others (`belongs`). */
bool ur_field_applies(const ur_field *fields, const ur_field *field, const void *config);

/* A member's value as text, which ur_field_set reads back to the same value; NULL pointers as "".
 * Writes at most `capacity` bytes with a zero byte at their end, and returns the length. */
size_t ur_field_print(const ur_field *field, const void *config, char *text, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
