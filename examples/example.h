/* example.h - what the examples share: giving up with a message, and places for files. */
#define _XOPEN_SOURCE 700 /* mkdtemp, nftw */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unroll.h>

static inline void check(ur_status status, const char *why)
{
    if (status != UR_OK) {
        fprintf(stderr, "%s\n", why);
        exit(1);
    }
}

static inline int remove_one(const char *path, const struct stat *s, int kind, struct FTW *place)
{
    (void)s, (void)kind, (void)place;
    return remove(path);
}

/* An empty folder in /tmp, whose path replaces the six X at the end of `path`; and away with it. */
static inline void new_folder(char *path)
{
    check(mkdtemp(path) ? UR_OK : UR_IO, "cannot make a folder in /tmp");
}

static inline void remove_folder(const char *path)
{
    nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* What a program with parameters of its own begins and ends with. */
static inline ur_context *open_all(ur_params **params, ur_tape **tape)
{
    ur_err err;
    ur_context *context;
    check(ur_context_new(NULL, &context, &err), err.text);
    check(ur_params_new(context, params, &err), err.text);
    check(ur_tape_new(context, tape, &err), err.text);
    return context;
}

static inline void free_all(ur_context *context, ur_params *params, ur_tape *tape)
{
    ur_tape_free(tape);
    ur_params_free(params);
    ur_context_free(context);
}
