/* unroll/wordpiece.h - BERT's tokenizer (Devlin et al. 2019): words, punctuation and ideographs apart,
 * each word cut into the longest pieces of a fixed vocabulary (WordPiece), with special tokens around
 * them. The ids are those of Hugging Face's BertTokenizerFast. */
#ifndef UNROLL_WORDPIECE_H
#define UNROLL_WORDPIECE_H

#include "unroll/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the tokenizer -------------------------------------------------------------------------- */

/* A vocabulary with the rules by which texts are cut; never changed after it was made, so threads may
 * share it. */
typedef struct ur_wordpiece ur_wordpiece;

/* The tokens that stand for no text. */
typedef enum ur_special { UR_UNK, UR_CLS, UR_SEP, UR_PAD, UR_MASK, UR_SPECIALS } ur_special;

typedef struct ur_wordpiece_options {
    bool lower;                       /* letters in lower case, character by character */
    bool strip_accents;               /* decomposed (NFD) without non-spacing marks */
    bool ideographs;                  /* each CJK ideograph is a word */
    const char *special[UR_SPECIALS]; /* their tokens; NULL: has none */
    const char *const *more; /* (n_more) other tokens that are found in texts as they stand */
    size_t n_more;
} ur_wordpiece_options;

/* bert-base-uncased's: all three true; [UNK] [CLS] [SEP] [PAD] [MASK]. */
ur_wordpiece_options ur_wordpiece_defaults(void);

/* Reads a vocab.txt: a token a line, the first one's id is 0, pieces that go on with a word begin with
 * ##. Of equal lines the last one counts. UR_BAD_FILE: no file, not UTF-8, a zero byte, no token for
 * UR_UNK, UR_CLS or UR_SEP, or none for one of `more`. */
ur_status ur_wordpiece_load(const ur_allocator *a, const char *path,
                            const ur_wordpiece_options *options, ur_wordpiece **out, ur_err *err);
/* The same for a file's bytes; `name` is what messages call it. */
ur_status ur_wordpiece_parse(const ur_allocator *a, const char *name, const char *bytes,
                             size_t size, const ur_wordpiece_options *options, ur_wordpiece **out,
                             ur_err *err);
void ur_wordpiece_free(ur_wordpiece *wordpiece); /* accepts NULL */

size_t ur_wordpiece_size(const ur_wordpiece *wordpiece);
const char *ur_wordpiece_token(const ur_wordpiece *wordpiece, int32_t id); /* NULL: no such id */
int32_t ur_wordpiece_find(const ur_wordpiece *wordpiece, const char *token,
                          size_t bytes);                                         /* or -1 */
int32_t ur_wordpiece_special(const ur_wordpiece *wordpiece, ur_special special); /* or -1 */

/* ---- texts ---------------------------------------------------------------------------------- */

/* What is left away of texts that are too long, at their ends. */
typedef enum ur_cutting {
    UR_CUT_LONGEST_FIRST, /* of a pair both keep about half: Hugging Face's fast tokenizers */
    UR_CUT_POP, /* piece by piece from the longer one, from the second where both are as long:
                             d2l, and Hugging Face's slow tokenizers */
    UR_CUT_ONLY_FIRST, /* the first text alone */
    UR_CUT_ONLY_SECOND /* the second alone */
} ur_cutting;

/* A piece of a text, or a special token around it, whose begin and end are 0. */
typedef struct ur_piece {
    int32_t id, segment; /* segment: 0 up to the first [SEP], 1 behind it */
    size_t begin, end;   /* the bytes of its text that it was made from */
} ur_piece;

/* The pieces of one input. Zeroed to begin with; may be filled again and again. To be freed before the
 * tokenizer, unless `allocator` was set. */
typedef struct ur_pieces {
    ur_piece *piece; /* (count) */
    size_t count;
    size_t cut; /* pieces that were left away */
    /* the tokenizer's own */
    const ur_allocator *allocator;
    size_t capacity;
    void *work;
    size_t work_capacity;
} ur_pieces;

/* [CLS] text [SEP], or [CLS] text [SEP] pair [SEP] (pair NULL: none), of at most `most` pieces (0: any
 * number). Tokens of the options that stand in a text as they are written count as themselves; a word of
 * over 100 characters, or with a part that the vocabulary lacks, is [UNK]. Time is proportional to the
 * bytes. UR_BAD_FILE: not UTF-8; UR_INVALID: `most` leaves no room for the special tokens, or
 * the one text that may be cut is too short to make all fit. */
ur_status ur_wordpiece_encode(const ur_wordpiece *wordpiece, const char *text, size_t bytes,
                              const char *pair, size_t pair_bytes, size_t most, ur_cutting cutting,
                              ur_pieces *out, ur_err *err);
void ur_pieces_free(ur_pieces *pieces);

#ifdef __cplusplus
}
#endif

#endif
