/* tally.h - counts the tokens of a text, and makes a vocabulary by frequency of them. */
#ifndef UR_DATA_TALLY_H
#define UR_DATA_TALLY_H

#include "text/tokens.h"

typedef struct ur_tally {
    const ur_allocator *a;
    ur_vocabulary *seen; /* reserved tokens, then the text's by first appearance */
    size_t *count;       /* (seen) */
    size_t capacity;
    size_t reserved; /* how many of them are reserved */
    int32_t *map;    /* (seen) once chosen */
} ur_tally;

/* `choice` may be NULL. To be followed by ur_tally_free, whatever it returns. */
ur_status ur_tally_start(ur_tally *t, const ur_allocator *a, const ur_text_options *options,
                         const ur_vocabulary_options *choice, ur_err *err);
/* Nothing is reserved. */
ur_status ur_tally_start_plain(ur_tally *t, const ur_allocator *a, ur_err *err);
void ur_tally_free(ur_tally *t);

/* Counts a token; *id is its place in t->seen. */
ur_status ur_tally_add(ur_tally *t, const ur_token *token, int32_t *id, ur_err *err);

/* The chosen vocabulary; t->map then has its ids for those in t->seen. */
ur_status ur_tally_choose(ur_tally *t, const ur_vocabulary_options *choice, ur_vocabulary **out,
                          ur_err *err);

#endif
