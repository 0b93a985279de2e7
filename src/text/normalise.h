/* normalise.h - Unicode's normalisation forms, and lower case where no tokenizer does it. */
#ifndef UR_TEXT_NORMALISE_H
#define UR_TEXT_NORMALISE_H

#include "unroll/text.h"

/* {.a, .form, .lower} to begin with. */
typedef struct ur_normaliser {
    const ur_allocator *a;
    ur_unicode form;
    bool lower;     /* Unicode's simple mapping, character by character, after the form */
    int32_t *codes; /* (capacity) where characters are put together, then their bytes */
    size_t capacity;
} ur_normaliser;

/* Replaces *bytes, well-formed UTF-8, by its normal form, which is valid until the next call; leaves
 * it where it is if there is nothing to do. */
ur_status ur_normalise(ur_normaliser *n, const char **bytes, size_t *size, ur_err *err);

void ur_normaliser_free(ur_normaliser *n);

/* How many ids a text of so many bytes can give when it was normalised: characters of form KC may
 * stand for 18 in place of 3 bytes. */
size_t ur_normalised_room(ur_unicode form, size_t bytes);

extern const char *const ur_unicode_words[]; /* of ur_unicode */

#endif
