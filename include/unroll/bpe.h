/* unroll/bpe.h - byte pair encoding: words cut into parts that come up often (Sennrich, Haddow and
 * Birch 2016); texts as such parts, and back.
 *
 * A word is its characters at first, of which the last knows that it ends the word. Merges join two
 * neighbouring symbols into one, in the order in which they were learned. The parts of a word are
 * what is left. Where parts stand in a list of tokens, all of a word's but the last are written with
 * the mark @@ at their end, as subword-nmt does: `lo@@ w@@ er`. */
#ifndef UNROLL_BPE_H
#define UNROLL_BPE_H

#include "unroll/core.h"
#include "unroll/corpus.h"
#include "unroll/text.h"

#ifdef __cplusplus
extern "C" {
#endif

#define UR_BPE_MARK "@@"

/* Merges in their order; does not change once it was made, so threads may share it. */
typedef struct ur_bpe ur_bpe;

/* A word (UTF-8) and how often a text has it. */
typedef struct ur_word_count {
    const char *bytes;
    size_t size, count;
} ur_word_count;

/* Learns up to `merges` merges. Each joins the pair of symbols that is most frequent in the words, each
 * of which counts as often as the text has it; of equals the one that came up first, words being taken
 * in the order given and read from left to right. Pairs rarer than `least` (0: 2) end it. Words with
 * white space in them, or longer than UR_BPE_LONGEST bytes, are passed over. */
#define UR_BPE_LONGEST 4096
ur_status ur_bpe_learn(const ur_allocator *a, size_t words, const ur_word_count *word,
                       size_t merges, size_t least, ur_bpe **out, ur_err *err);
void ur_bpe_free(ur_bpe *bpe);          /* accepts NULL */
size_t ur_bpe_count(const ur_bpe *bpe); /* merges */

/* subword-nmt's files of codes: `#version: 0.2` (or 0.1, also where there is no such line: the end of a
 * word is then a symbol of its own) and a line for each merge, its two symbols with a space between
 * them, those that end a word with </w>. A merge that an earlier line has counts for nothing.
 * UR_BAD_FILE names the line. Saving is atomic. */
ur_status ur_bpe_load(const ur_allocator *a, const char *path, ur_bpe **out, ur_err *err);
ur_status ur_bpe_save(const ur_bpe *bpe, const char *path, ur_err *err);

/* The parts of a word: end (room for `bytes` of them) receives the byte behind each, and their number
 * is returned. known: a vocabulary of parts with their marks; a part that it lacks is cut again where it
 * was merged, until it has the pieces or there is nothing to cut. NULL: all parts are well. A word
 * longer than UR_BPE_LONGEST is one part. */
size_t ur_bpe_split(const ur_bpe *bpe, const ur_vocabulary *known, const char *word, size_t bytes,
                    size_t *end);

/* What the sentences of one language are read and written by. Nothing is kept: all stays the
 * caller's. */
typedef struct ur_subwords {
    const ur_text_options *options; /* without line_ends */
    const ur_bpe *bpe;              /* NULL: tokens stay whole */
    const ur_vocabulary *vocabulary;
} ur_subwords;

/* Whether a token is cut by merges: a character of punctuation with marks (UR_WORDS_JOINED) is not. */
bool ur_subwords_cuts(const char *token, size_t bytes);

/* A sentence's ids: tokens as the options say, each cut by the merges into parts that the vocabulary has.
 * `ids` has room for `bytes` of them; *unknown (may be NULL) counts those that are <unk>. Line feeds are
 * spaces. UR_BAD_FILE: invalid UTF-8, a zero byte, a word longer than UR_TOKEN_LONGEST, a token that
 * neither the vocabulary has nor <unk> stands for. */
ur_status ur_subwords_encode(const ur_subwords *subwords, const char *text, size_t bytes,
                             int32_t *ids, size_t *count, size_t *unknown, ur_err *err);

/* Ordinary text of ids: parts joined to words, and spaces as ur_text_piece says. Cut to fit `capacity`
 * and closed by a zero byte if that is above 0; returns the bytes that the whole text takes. */
size_t ur_subwords_decode(const ur_subwords *subwords, const int32_t *ids, size_t count, char *text,
                          size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
