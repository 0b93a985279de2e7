/* unroll/text.h - text as numbers: vocabularies, and data sets of (question, answer) pairs
 * from a file or from a built-in generator.
 *
 * A character is a Unicode scalar value. Ids are int32_t, counted from 0. Functions that take
 * memory take the hooks to take it from as their first argument (NULL: malloc and free). */
#ifndef UNROLL_TEXT_H
#define UNROLL_TEXT_H

#include "unroll/core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- vocabulary --------------------------------------------------------------------------- */

/* Tokens and their ids: token i is the i-th that was added. An ordinary token is any non-empty
 * UTF-8 string (a character, a word); a reserved token has a name such as "end", is written
 * <end>, and never equals an ordinary one, not even the ordinary token "<end>". */
typedef struct ur_vocabulary ur_vocabulary;

ur_status ur_vocabulary_new(const ur_allocator *a, ur_vocabulary **out, ur_err *err);
void ur_vocabulary_free(ur_vocabulary *vocabulary);
size_t ur_vocabulary_size(const ur_vocabulary *vocabulary);

/* The id of a token, or -1. */
int32_t ur_vocabulary_find(const ur_vocabulary *vocabulary, const char *token, size_t bytes);
int32_t ur_vocabulary_find_character(const ur_vocabulary *vocabulary, uint32_t character);
int32_t ur_vocabulary_find_reserved(const ur_vocabulary *vocabulary, const char *name);

/* The id of a token, which is added if it is new. UR_INVALID: not UTF-8, or empty; for a reserved
 * token: a name other than 1 to 32 of a-z 0-9 _ (without the angle brackets). */
ur_status ur_vocabulary_add(ur_vocabulary *vocabulary, const char *token, size_t bytes, int32_t *id,
                            ur_err *err);
ur_status ur_vocabulary_add_character(ur_vocabulary *vocabulary, uint32_t character, int32_t *id,
                                      ur_err *err);
ur_status ur_vocabulary_add_reserved(ur_vocabulary *vocabulary, const char *name, int32_t *id,
                                     ur_err *err);

/* The token of an id, as text; a reserved one with its angle brackets. Ends with a zero byte, which
 * *bytes (may be NULL) does not count; valid until the next token is added. NULL: no such id. */
const char *ur_vocabulary_token(const ur_vocabulary *vocabulary, int32_t id, size_t *bytes);
bool ur_vocabulary_is_reserved(const ur_vocabulary *vocabulary, int32_t id);

/* Writes the tokens of `count` ids one after the other, cut to fit `capacity` at a token's end and
 * always closed by a zero byte if capacity > 0. Returns the bytes that the whole text takes,
 * without the zero byte (as snprintf does). An id that does not exist is written as U+FFFD. */
size_t ur_vocabulary_decode(const ur_vocabulary *vocabulary, const int32_t *ids, size_t count,
                            char *text, size_t capacity);

/* A vocabulary's file has one token a line, in the order of the ids, each line ending with a line
 * feed. In an ordinary token
 *     \s  \n  \t  \r  \\     stand for space, line feed, tab, carriage return, backslash,
 *     \u{a0}                 (1 to 6 hexadecimal digits) for any character, and must be used for
 *                            other controls and for characters that look like a space or like
 *                            nothing (U+0000-1F, 7F-A0, AD, 1680, 2000-200F, 2028-202F, 205F-2064,
 *                            3000, FEFF),
 *     \<                     for a `<` that opens a token of several characters.
 * A longer line that opens with a bare `<` is a reserved token: <end>. Loading is strict: an empty
 * line, a duplicate, an escape not named here, a bare character that must be escaped, invalid UTF-8
 * and a last line without line feed are UR_BAD_FILE with the line's number. Saving is atomic. */
ur_status ur_vocabulary_save(const ur_vocabulary *vocabulary, const char *path, ur_err *err);
ur_status ur_vocabulary_load(const ur_allocator *a, const char *path, ur_vocabulary **out,
                             ur_err *err);

/* ---- how data files are read --------------------------------------------------------------- */

/* What the first bytes of a text, at least four where there are as many, give away of an encoding that is not
 * UTF-8: "UTF-16", "UTF-16LE", "UTF-16BE" or "UTF-32", as iconv calls them; NULL: nothing. */
const char *ur_text_encoding(const char *bytes, size_t size);

/* Normalisation of texts before anything else is done with them: none, or the Unicode Standard's
 * normalisation form C or KC (annex 15), of the utf8proc that is installed. */
typedef enum ur_unicode { UR_UNICODE_AS_IS, UR_UNICODE_NFC, UR_UNICODE_NFKC } ur_unicode;

/* Which columns of a file hold what, and what becomes of lines that cannot be used whole. All zero:
 * as the file's form says, nothing is left out. Part of a model's configuration, so that later files
 * are read in the same way.
 *
 * A column is a name in the file's first line, or a number from 1 on (then there is no such line).
 * With names, and in files called .csv, a line is cut at commas (at tabs, where the first line has
 * one), and fields may stand in double quotes, within which a double quote is written twice and
 * commas and line ends are text (RFC 4180). Files called .csv or .tsv whose first line has names
 * that say it (label, text; source, target ...) need no options. */
typedef struct ur_reading {
    const char *input_column, *target_column; /* NULL or "": as the file's form says */
    size_t max_length; /* in tokens (pairs: characters): what is longer is cut, the rest of a longer
                          text not read; 0: refused above the limit of the data set */
    bool
        skip; /* leave out, and count, examples that are too long or have tokens that the vocabulary
                  lacks, or labels that training had not */
} ur_reading;

/* ---- pairs: what a model has to know of its data ------------------------------------------ */

typedef enum ur_pair_form {
    UR_PAIRS_FIXED, /* all questions have question_width characters, all answers answer_steps;
                       the spaces that fill them up are characters like any other */
    UR_PAIRS_RAGGED /* real lengths; an answer ends with an end symbol */
} ur_pair_form;

/* In which order the decoder writes an answer (a b c), `_` being the start symbol:
 *                     decoder reads   is to write
 *   FORWARD           _ a b           a b c
 *   REVERSED          _ c b           c b a
 *   WITH_START        c b a           b a _      all of `_abc` is flipped, so that the first input
 *                                                gives away the answer's last character
 * Ragged: the end symbol follows what is to be written, and the decoder reads one symbol more. */
typedef enum ur_answer_order {
    UR_ANSWER_FORWARD,
    UR_ANSWER_REVERSED,
    UR_ANSWER_WITH_START
} ur_answer_order;

/* Everything besides the vocabulary that turns text into a model's sequences and back; part of a
 * model's configuration. */
typedef struct ur_pair_format {
    ur_pair_form form;
    bool strip;         /* spaces (U+0020) around questions and answers are dropped */
    bool lower;         /* both in lower case, character by character */
    ur_unicode unicode; /* their normalisation */
    bool reverse_input; /* the encoder reads the question from its last column to its first */
    ur_answer_order answer_order;
    size_t question_width; /* fixed: columns of a question; ragged: 0 */
    size_t answer_steps;   /* fixed: symbols of an answer, exactly; ragged: at most so many, the
                              end symbol included, are written before the decoder is stopped */
    int32_t start;         /* id of the start symbol */
    int32_t end;           /* id of the end symbol; -1 in the fixed form, which has none */
} ur_pair_format;

/* Whether a format that was read from somewhere fits its vocabulary; UR_BAD_FILE if not. */
ur_status ur_pair_format_check(const ur_pair_format *format, const ur_vocabulary *vocabulary,
                               ur_err *err);

/* The longest question or answer, in characters. */
#define UR_PAIR_LONGEST 65536

/* ---- pairs: data sets --------------------------------------------------------------------- */

typedef enum ur_split { UR_SPLIT_TRAIN, UR_SPLIT_VALID } ur_split;

/* Where pairs come from. `size`, `seed` and `split` speak to the built-in generators alone. */
typedef struct ur_pair_source {
    const char *data; /* a file's path, "builtin:dates" or "builtin:additions" */
    size_t size;      /* how many pairs; 0: 45,000 to train, 5,000 to validate */
    uint64_t seed;
    ur_split split;
    const ur_reading *reading; /* of a file; NULL: all zero */
} ur_pair_source;

/* A data set: pairs as ids in reading order, whatever the format's orders are. */
typedef struct ur_pairs ur_pairs;

/* Some of its ids; valid as long as the data set. */
typedef struct ur_ids {
    const int32_t *ids;
    size_t length;
} ur_ids;

/* A file of pairs is UTF-8, at most 1 GiB, one pair a line: question, separator, answer. The
 * separator is the first tab of each line if the first line that is not blank has a tab, else the
 * first `_`; what stands behind a second tab is not read (Tatoeba's attributions). Blank lines are
 * passed over. Lines end with LF or CR LF, or with CR in a file without LF; the last one's end may be
 * missing, and a byte order mark at the start is skipped. Or a file of values: see ur_reading.
 * UR_BAD_FILE, with the line's number: a line without separator, other encodings than UTF-8, a zero
 * byte, a question or answer longer than UR_PAIR_LONGEST where no max_length is given; values: another
 * number of columns than the first line's. A file without a pair is UR_BAD_FILE, too.
 *
 * ur_pairs_learn reads the data to train with and finds out its vocabulary and format, which the
 * caller frees and may change (the orders) respectively. Of `wanted` (may be NULL) strip, lower and
 * unicode are taken. The form is fixed if every question has the same width > 0, every answer has the
 * same width > 0, some of them are filled up with spaces at their begin or end, and strip was not
 * asked for; else ragged (empty questions and answers are legal, answer_steps leaves some room above
 * the longest answer seen). Ids are given by first appearance, one vocabulary for both sides, the
 * start symbol being the separator: `_`, or the reserved token <start> where pairs are separated by
 * tabs. In the ragged form the reserved tokens <start> and <end> come first, as 0 and 1. A
 * generator's vocabulary begins with all the characters that it can ever use. */
ur_status ur_pairs_learn(const ur_allocator *a, const ur_pair_source *source,
                         const ur_pair_format *wanted, ur_pairs **out, ur_vocabulary **vocabulary,
                         ur_pair_format *format, ur_err *err);

/* ur_pairs_open reads data for a model that has its vocabulary and format. In the fixed form
 * questions and answers that are too short are filled up with spaces. Characters that the vocabulary
 * lacks become UR_UNKNOWN. UR_BAD_FILE, besides: a question or answer too long for its width (with
 * reading->skip it is left out). Neither vocabulary nor format is kept. */
ur_status ur_pairs_open(const ur_allocator *a, const ur_pair_source *source,
                        const ur_pair_format *format, const ur_vocabulary *vocabulary,
                        ur_pairs **out, ur_err *err);

/* Sentence i about what reading the file found: columns, lines passed over, cut or left out,
 * characters that are UR_UNKNOWN. NULL behind the last. */
const char *ur_pairs_remark(const ur_pairs *pairs, size_t i);
size_t ur_pairs_unknown(const ur_pairs *pairs); /* how many ids are UR_UNKNOWN */

void ur_pairs_free(ur_pairs *pairs);
size_t ur_pairs_count(const ur_pairs *pairs);
/* Behind the last pair there is nothing. */
ur_ids ur_pairs_question(const ur_pairs *pairs, size_t index);
ur_ids ur_pairs_answer(const ur_pairs *pairs, size_t index); /* without start and end symbols */

/* ---- pairs: from reading order to the model's order and back ------------------------------- */

/* The question as the encoder reads it: question.length ids. */
void ur_pair_input(const ur_pair_format *format, ur_ids question, int32_t *input);

/* Decoder steps that an answer of `length` symbols takes: length, or length + 1 in the ragged
 * form. */
size_t ur_pair_steps(const ur_pair_format *format, size_t length);

/* What the decoder reads and what it is to write: ur_pair_steps(format, answer.length) ids each.
 * See ur_answer_order. */
void ur_pair_target(const ur_pair_format *format, ur_ids answer, int32_t *decoder_in,
                    int32_t *decoder_out);

/* What the decoder wrote, in reading order: cut before the first end symbol, turned around if need
 * be. `first` is the decoder's first input, which WITH_START counts as the answer's last symbol
 * (the last of the `steps` is then where `_` belongs, and is left out). `answer` has room for
 * `steps` ids; returns how many it got. */
size_t ur_pair_answer(const ur_pair_format *format, int32_t first, const int32_t *written,
                      size_t steps, int32_t *answer);

/* One question's ids in reading order, from text: normalised, stripped, or filled up with spaces to the
 * fixed width. `ids` has room for the larger of bytes (UR_UNICODE_NFKC: six times as many) and
 * format->question_width. A character that the vocabulary lacks is UR_UNKNOWN; *unknown (may be NULL)
 * says how many there are. UR_BAD_FILE: invalid UTF-8, a question longer than the width (or shorter,
 * where the vocabulary has no space to fill it up). */
ur_status ur_pair_encode(const ur_pair_format *format, const ur_vocabulary *vocabulary,
                         const char *question, size_t bytes, int32_t *ids, size_t *length,
                         size_t *unknown, ur_err *err);

/* ---- generators --------------------------------------------------------------------------- */

/* builtin:dates: a date between 1970-01-01 and 2017-12-31, all equally likely, as people write it,
 * and as ISO 8601 has it, 29 + 1 + 10 characters:
 *     9/27/94    Sep 27, 1994    September 27, 1994    Tuesday, September 27, 1994
 * each a quarter of the time; words are in Title case half of the time, else lower or UPPER case.
 * builtin:additions: `16+75  _91  `, 7 + 1 + 4 characters; each number has 1, 2 or 3 digits with
 * equal chances (leading zeros are dropped). No two lines ask for the sum of the same two numbers,
 * in whichever order; so there are at most 400,000 to train and 40,000 to validate.
 *
 * One in ten questions, chosen by a hash of its text (of its two numbers in rising order, for
 * additions), belongs to the validation split, the others to the training split, whatever the
 * seed; so no question is ever in both. Dates may repeat inside a split. Equal seeds give equal
 * lines, and a smaller size gives the first lines of a larger one.
 *
 * Writes the lines of a source whose data is one of these names, as a file would hold them, into
 * fresh memory: *text with *bytes bytes and a zero byte after them, released through `a`.
 * UR_INVALID: no such generator, or too many pairs. */
ur_status ur_pairs_generate(const ur_allocator *a, const ur_pair_source *source, char **text,
                            size_t *bytes, ur_err *err);

/* ---- windows: a long text, cut for truncated back-propagation ------------------------------ */

typedef enum ur_sampling {
    UR_SAMPLING_SEQUENTIAL, /* `batch` streams read side by side from their start to their end, so
                               that states can be carried from batch to batch */
    UR_SAMPLING_RANDOM      /* windows in any order: states begin anew in each */
} ur_sampling;

/* How every epoch cuts a text of n tokens into windows of `bptt` steps; the target of a step is the
 * token after it. (Zhang et al., Dive into Deep Learning, section 8.3.)
 *   sequential  the epoch starts at a random offset of 0 to bptt, included; what is left, less its last
 *               token, is cut into `batch` streams of floor((n - offset - 1) / batch) tokens, and the
 *               streams into floor(stream / bptt) windows
 *   random      a random offset of 0 to bptt - 1, then floor((n - offset - 1) / bptt) windows that
 *               follow each other without a gap, shuffled
 * What does not fill a window (sequential) or a batch (random) is dropped, or with keep_tail makes
 * a last batch of shorter windows, or of fewer. */
typedef struct ur_window_options {
    size_t batch, bptt;
    ur_sampling sampling;
    bool keep_tail;
} ur_window_options;

/* A window: steps 0 to length - 1 read ids[0] to ids[length - 1] and are to predict ids[1] to
 * ids[length]. */
typedef struct ur_window {
    const int32_t *ids;
    size_t length;
    size_t stream; /* sequential: which of the streams it is of; random: 0 */
} ur_window;

typedef struct ur_windows ur_windows;

/* The ids stay the caller's. UR_INVALID: a batch or a window of nothing, or a text that is too short
 * for one batch wherever the epoch starts. Stands at the epoch of offset 0, unshuffled. */
ur_status ur_windows_new(const ur_allocator *a, ur_ids text, const ur_window_options *options,
                         ur_windows **out, ur_err *err);
void ur_windows_free(ur_windows *windows);

/* Cuts the text for an epoch, which depends on seed and epoch alone; returns how many windows it
 * has. Windows are numbered in the order to be read: batch k has numbers k * batch and following,
 * its streams in order. Behind the last there is nothing. */
size_t ur_windows_start(ur_windows *windows, uint64_t seed, uint64_t epoch);
size_t ur_windows_count(const ur_windows *windows);
ur_window ur_windows_at(const ur_windows *windows, size_t number);

#ifdef __cplusplus
}
#endif

#endif
