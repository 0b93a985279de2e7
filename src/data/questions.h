/* questions.h - questions about texts in which their answers stand, as pieces of words in windows: files of
 * SQuAD's form (Rajpurkar et al. 2016 and 2018), and lines. */
#ifndef UR_DATA_QUESTIONS_H
#define UR_DATA_QUESTIONS_H

#include "io/json.h"
#include "text/answers.h"
#include "text/remarks.h"
#include "unroll/wordpiece.h"

/* A text that is asked about, and its pieces [first, first + count). */
typedef struct ur_asked_text {
    const char *text;
    size_t bytes;
    size_t first, count;
} ur_asked_text;

/* The bytes of a text that a piece comes from. */
typedef struct ur_asked_piece {
    int32_t id;
    uint32_t begin, end;
} ur_asked_piece;

typedef struct ur_question {
    size_t text;            /* its number */
    size_t first, count;    /* its own pieces, in ids */
    size_t answer, answers; /* right ones, in answer; none: it has no answer */
    size_t begin, end;      /* bytes of the text that are learned; begin > end: none */
    size_t window, windows; /* 0 windows: it is left out */
} ur_question;

enum { UR_QUESTION_SPECIALS = 3 }; /* [CLS] question [SEP] pieces of the text [SEP] */

/* An input: pieces [first, first + count) of the question's text. */
typedef struct ur_asked_window {
    size_t question;
    uint32_t first, count;
    int32_t start,
        end; /* where in the input what is learned begins and ends; [CLS] where it is not wholly
                           inside; -1: nothing is learned */
} ur_asked_window;

/* How the answers are chosen. */
typedef struct ur_answering {
    size_t max_answer; /* pieces of one at most */
    bool unanswerable; /* there may be none, */
    double threshold;  /* where [CLS] scores more than this above the best one */
} ur_answering;

typedef struct ur_questions {
    const ur_allocator *a;
    ur_asked_text *text; /* (texts) */
    ur_asked_piece *piece;
    int32_t *ids; /* of questions */
    ur_answer_text *answer;
    ur_question *question;   /* (count) */
    ur_asked_window *window; /* (windows) */
    size_t texts, count, windows;
    bool unanswerable; /* some have no answer */
    ur_answering answering;
    int32_t cls, sep, unknown; /* unknown: the id of [UNK] */
    size_t longest, stride;    /* as of ur_windowing */
    ur_remarks remarks;
    /* its own, unless the texts are another's */
    bool borrowed;
    ur_json *document; /* that the texts stand in, or NULL */
    size_t text_capacity, pieces, piece_capacity, ids_used, ids_capacity, answers, answer_capacity,
        question_capacity, window_capacity;
} ur_questions;

typedef struct ur_windowing {
    const ur_wordpiece *wordpiece;
    size_t longest; /* pieces of an input */
    size_t
        stride; /* pieces that two windows share; SIZE_MAX: 128, or half of a window where that is less */
    bool skip;  /* a question that leaves no room for a window is left out, in place of refused */
    bool learn; /* only what can be learned has windows */
    ur_answering answering;
} ur_windowing;

/* A text that does not fit one window has several, as `stride` and return_overflowing_tokens of Hugging
 * Face's tokenizers make them; the windows of a question stand side by side.
 *
 * A file of SQuAD's form: data, paragraphs, qas; answers with text and answer_start (in characters), none or
 * "is_impossible" true where there is none; what stands beside these is passed over. What is learned is the
 * first answer whose text stands where it should; answers whose text does not are counted. UR_BAD_FILE, with
 * the place: no JSON, a value that is missing or of another type, an empty text, an answer_start outside
 * the text, a question too long for `longest` and `stride`; no question, or nothing to learn. */
ur_status ur_questions_read(const ur_allocator *a, const char *path, const ur_windowing *how,
                            ur_questions **out, ur_err *err);
/* The same for a file's bytes; `name` is what messages call it. */
ur_status ur_questions_parse(const ur_allocator *a, const char *name, const char *bytes,
                             size_t size, const ur_windowing *how, ur_questions **out, ur_err *err);
/* `count` times a question, a tab and a text, which must stay where they are. UR_BAD_FILE: one that cannot be
 * used, its number in *bad. Question i is that of texts[i]. */
ur_status ur_questions_of(const ur_allocator *a, size_t count, const char *const *texts,
                          const ur_windowing *how, ur_questions **out, size_t *bad, ur_err *err);
void ur_questions_free(ur_questions *questions); /* accepts NULL */

/* Takes the questions about some of the texts, about `part` of all, out of *data into *valid, as ur_split_choose
 * says; all their windows are there. The texts stay those of *data, which is to be freed last. */
ur_status ur_questions_split(ur_questions *data, double part, uint64_t seed, ur_questions **valid,
                             ur_err *err);

static inline size_t ur_asked_length(const ur_questions *q, const ur_asked_window *w)
{
    return q->question[w->question].count + w->count + UR_QUESTION_SPECIALS;
}

/* Where in its input the first piece of the window's text stands. */
static inline size_t ur_asked_offset(const ur_questions *q, const ur_asked_window *w)
{
    return q->question[w->question].count + 2;
}

/* Piece i of what the window shows of its text. */
static inline const ur_asked_piece *ur_asked_piece_at(const ur_questions *q,
                                                      const ur_asked_window *w, size_t i)
{
    return &q->piece[q->text[q->question[w->question].text].first + w->first + i];
}

/* The window as the model reads it: (length) ids and segments. */
void ur_asked_input(const ur_questions *q, const ur_asked_window *w, int32_t *ids,
                    int32_t *segments);

uint64_t ur_questions_fingerprint(const ur_questions *questions);

#endif
