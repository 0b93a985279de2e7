/* labelled.h - the inside of texts with labels. */
#ifndef UR_DATA_LABELLED_H
#define UR_DATA_LABELLED_H

#include "text/remarks.h"
#include "unroll/corpus.h"
#include "unroll/wordpiece.h"

/* Sequence i's tokens are tokens[offset[i]] up to tokens[offset[i+1]]; its labels stand in the same
 * places of labels (UR_TAGGED), at label_offset[i] up to label_offset[i+1] (UR_TAGGED, of pieces), or its
 * one label is labels[i] (UR_CLASSIFIED). */
struct ur_labelled {
    const ur_allocator *a;
    ur_labelled_kind kind;
    size_t count, all, unknown, unknown_labels;
    size_t *offset;       /* (count + 1) */
    size_t *label_offset; /* (count + 1) or NULL */
    int32_t *tokens;      /* (all) */
    int32_t *labels;      /* (all), (count) or (label_offset[count]) */
    ur_remarks remarks;
};

/* Where the labels of text `i` begin; of `count`, how many there are. */
static inline size_t ur_labels_before(const ur_labelled *d, size_t i)
{
    return d->kind == UR_CLASSIFIED ? i : (d->label_offset ? d->label_offset : d->offset)[i];
}

/* The same as ur_labelled_learn and ur_labelled_open with a file's bytes instead of its path;
 * `name` stands for it in messages. */
ur_status ur_labelled_learn_bytes(const ur_allocator *a, const char *name, const char *bytes,
                                  size_t size, ur_labelled_kind kind,
                                  const ur_text_options *options, const ur_reading *reading,
                                  const ur_vocabulary_options *choice, ur_labelled **out,
                                  ur_vocabulary **tokens, ur_vocabulary **labels, ur_err *err);
ur_status ur_labelled_open_bytes(const ur_allocator *a, const char *name, const char *bytes,
                                 size_t size, ur_labelled_kind kind, const ur_text_options *options,
                                 const ur_reading *reading, const ur_vocabulary *tokens,
                                 const ur_vocabulary *labels, ur_labelled **out, ur_err *err);

/* ---- texts as pieces ------------------------------------------------------------------------ */

/* A token of such a data set: a piece's id, and above it what else is known of it. */
enum {
    UR_PIECE_ID = (1 << 24) - 1,
    UR_PIECE_SECOND = 1 << 24, /* it is of segment 1 */
    UR_PIECE_WORD = 1 << 25    /* a word that has a label begins with it (UR_TAGGED) */
};

static inline int32_t ur_piece_token(const ur_piece *piece)
{
    return piece->id | (piece->segment ? UR_PIECE_SECOND : 0);
}

/* How texts become pieces. */
typedef struct ur_piecing {
    const ur_wordpiece *wordpiece;
    size_t longest; /* pieces of a text with the special ones; 2 (of pairs 3) or more */
    /* UR_CLASSIFIED alone: */
    bool pairs;         /* a text is two: label, tab, text, tab, text, or another column */
    bool detect;        /* and also where the names of a file's columns say so */
    ur_cutting cutting; /* of pairs */
    const char
        *second_column; /* the column of the second text, beside ur_reading; NULL or "": none */
} ur_piecing;

/* The tokens of a text ([CLS] text [SEP]), or of a pair whose texts have a tab between them, cut to
 * how->longest; `pieces` has them, and how many were cut. UR_BAD_FILE: not UTF-8, a pair without tab. */
ur_status ur_piecing_text(const ur_piecing *how, const char *text, size_t bytes, ur_pieces *pieces,
                          ur_err *err);
/* The pieces of a word stand in [1, pieces->count - 1) then, at least one: [UNK] where it has none. */
ur_status ur_piecing_word(const ur_piecing *how, const char *word, size_t bytes, ur_pieces *pieces,
                          ur_err *err);

/* ur_labelled_open for texts as pieces, words that begin as UR_PIECE_WORD says. labels NULL: they are learned,
 * and *learned is fresh; else that is NULL. pairs (may be NULL): whether texts were pairs. Of a longer text
 * the end is not read; with reading->skip all of it is left out. */
ur_status ur_labelled_pieces(const ur_allocator *a, const char *path, ur_labelled_kind kind,
                             const ur_piecing *how, const ur_reading *reading,
                             const ur_vocabulary *labels, ur_labelled **out,
                             ur_vocabulary **learned, bool *pairs, ur_err *err);

#endif
