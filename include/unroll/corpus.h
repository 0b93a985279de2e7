/* unroll/corpus.h - plain text files as token ids: how a text is cut into tokens, vocabularies by
 * frequency, a whole text for a language model (ur_corpus), and texts with labels for taggers and
 * classifiers (ur_labelled).
 *
 * Files are UTF-8, at most 1 GiB; lines end with LF or CR LF (CRs before an LF or the file's end
 * are dropped), or with CR in a file without LF; the last one's end may be missing, and a byte order
 * mark at the start is skipped. A file that is missing, empty or too large, other encodings (named
 * where they can be told) and a zero byte are UR_BAD_FILE; what is wrong with a line comes with the
 * line's number. Tokenizer and lower case follow the Unicode
 * version of the utf8proc that is installed; everything else is the same everywhere. */
#ifndef UNROLL_CORPUS_H
#define UNROLL_CORPUS_H

#include "unroll/core.h"
#include "unroll/text.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- from text to tokens ------------------------------------------------------------------ */

/* What a token is. White space is what Unicode calls White_Space (U+0009-0D, 20, 85, A0, 1680,
 * 2000-200A, 2028, 2029, 202F, 205F, 3000); it only separates words. No word goes beyond a line.
 *   CHARACTERS         each character, spaces and line feeds included; CR LF is a line feed.
 *   WORDS              what stands between white space.
 *   WORDS_PUNCTUATION  runs of word characters, and each other character alone. Word characters are
 *                      letters, marks and numbers (Unicode categories L, M, N). Between two of them
 *                      a single apostrophe (' or U+2019), hyphen (-, U+2010 or U+2011) or joiner
 *                      (U+200C or U+200D) belongs to the word: don't, well-known, rock'n'roll; so
 *                      does a single full stop or comma between two decimal digits (category Nd):
 *                      3.14, 1,000. Everywhere else they are tokens: `--` is two, `'tis` is two.
 *   WORDS_STOPS        what stands between white space, and each . , ! ? opens a token: `3 ,000` for
 *                      3,000. (Zhang et al., Dive into Deep Learning, section 9.5.)
 *   WORDS_JOINED       as WORDS_PUNCTUATION, and a character of punctuation that touches its neighbour
 *                      has the mark U+FFED on that side (between two of them the second one has it), so
 *                      that the text's own spaces come back: `Go.` is Go and the token of the mark and
 *                      the full stop, and `Va !` has no mark. (Klein et al. 2017, OpenNMT's joiners.)
 *
 * In word texts <name> stands for the vocabulary's reserved token of that name, if it has one: the
 * `<unk>` of WikiText is the unknown token. (WORDS: where it is a whole word; WORDS_PUNCTUATION:
 * anywhere. Under letters_only angle brackets are gone before.) */
typedef enum ur_tokenizer {
    UR_CHARACTERS,
    UR_WORDS,
    UR_WORDS_PUNCTUATION,
    UR_WORDS_STOPS,
    UR_WORDS_JOINED
} ur_tokenizer;

#define UR_JOINER "\xEF\xBF\xAD" /* U+FFED, the mark of WORDS_JOINED */

/* How a text becomes tokens: plain data, part of a model's configuration. */
typedef struct ur_text_options {
    ur_tokenizer tokenizer;
    bool letters_only;  /* in each line runs of anything but A-Z a-z become one space, none at its
                          ends; line feeds disappear: CHARACTERS joins lines without separator */
    bool lower;         /* lower case, character by character (Unicode's simple mapping), after
                          letters_only and before anything else */
    bool line_ends;     /* words only: each line, an empty one too, ends with the reserved token
                          <eos> (in a file also the last line if its line feed is missing) */
    ur_unicode unicode; /* normalisation of each line (of tokens that are cut already: of each),
                           before all else */
} ur_text_options;

/* Where the sentences of a paragraph end: behind . ! or ?, and what closes quotations and brackets, before white space; or at
 * " . ", as in Dive into Deep Learning, which leaves that away. */
enum { UR_SENTENCES_MARKS, UR_SENTENCES_STOPS };

/* The longest word and the longest label, in bytes; the longest labelled sequence, in tokens. */
#define UR_TOKEN_LONGEST 4096
#define UR_LABELLED_LONGEST 65536

/* Options to start from: neither lower, and line_ends for words without letters_only. */
ur_text_options ur_text_defaults(ur_tokenizer tokenizer, bool letters_only);

/* "char", "word", "word-punct", "word-stops", "word-joined"; NULL: no such tokenizer, such as the one behind the last.
 * ur_tokenizer_find is the way back, for "characters", "words", "words-punctuation", "words-stops" and
 * "words-joined", too; false where there is none of that name. */
const char *ur_tokenizer_name(ur_tokenizer tokenizer);
bool ur_tokenizer_find(const char *name, ur_tokenizer *tokenizer);

/* Whether options make sense, and fit a vocabulary (NULL: not asked): UR_INVALID if not.
 * CHARACTERS have no line_ends; with line_ends the vocabulary must have <eos>. */
ur_status ur_text_check(const ur_text_options *options, const ur_vocabulary *vocabulary,
                        ur_err *err);

/* A prompt's ids. `ids` has room for `bytes` of them (UR_UNICODE_NFKC: six times as many); *count says how many there are, *unknown (may
 * be NULL) how many of them are <unk>. The text's end is no line's end: only line feeds give <eos>.
 * An empty text is legal and has no ids. UR_BAD_FILE, with the number of the line in the text:
 * invalid UTF-8, a zero byte, a word longer than UR_TOKEN_LONGEST, a token that neither the
 * vocabulary has nor <unk> stands for (it is named). */
ur_status ur_text_encode(const ur_text_options *options, const ur_vocabulary *vocabulary,
                         const char *text, size_t bytes, int32_t *ids, size_t *count,
                         size_t *unknown, ur_err *err);

/* What to print for token `id` after token `previous` (-1: nothing was printed yet), for text that
 * appears while it is written: the token's own text; words with a space before it unless it opens a
 * line; with line_ends <eos> is a line feed. Other reserved tokens are written <name>, an id that
 * does not exist as U+FFFD. WORDS_PUNCTUATION has no space before  . , ; : ! ? % ) ] } U+2026  and
 * after  ( [ { U+00BF U+00A1. WORDS_STOPS has none before a token that . , ! or ? opens. WORDS_JOINED has
 * none where a mark says so, and leaves the marks out.
 * To print a text's ids so and to encode what was printed gives the same ids again (WORDS_JOINED: without
 * line_ends, and where none is <unk>, of which nobody knows whether it was a word); CHARACTERS give
 * the text itself (line ends LF, no options that change it, nothing unknown).
 * Writes the piece, closed by a zero byte, where `capacity` has room for both, else (if capacity is
 * not 0) only a zero byte; returns the bytes that the piece takes. UR_PIECE_LONGEST is always
 * enough for vocabularies that were learned here. */
#define UR_PIECE_LONGEST (UR_TOKEN_LONGEST + 2)
size_t ur_text_piece(const ur_text_options *options, const ur_vocabulary *vocabulary,
                     int32_t previous, int32_t id, char *text, size_t capacity);

/* The pieces of `count` ids, the first one after `previous`, cut to fit `capacity` at a piece's end
 * and closed by a zero byte if capacity > 0. Returns the bytes that the whole text takes. */
size_t ur_text_decode(const ur_text_options *options, const ur_vocabulary *vocabulary,
                      int32_t previous, const int32_t *ids, size_t count, char *text,
                      size_t capacity);

/* ---- vocabularies by frequency ------------------------------------------------------------- */

/* Which tokens of a text enter its vocabulary. Ids: <unk> is 0, then <eos> where there are
 * line_ends, then further reserved tokens in the order given, then the text's tokens by falling
 * frequency, equal ones by first appearance. */
typedef struct ur_vocabulary_options {
    size_t min_freq;             /* rarer tokens are left out and become <unk>; 0 is 1 */
    size_t max_size;             /* at most so many besides the reserved ones; 0: any number */
    const char *const *reserved; /* names without brackets, such as "pad"; may be NULL */
    size_t reserved_count;
} ur_vocabulary_options;

/* ---- a whole text -------------------------------------------------------------------------- */

/* The ids of a text, one after the other. */
typedef struct ur_corpus ur_corpus;

/* ur_corpus_learn reads a text and finds out its vocabulary, which the caller frees. Frequencies
 * are counted over the whole text; max_tokens then limits the corpus to its first tokens (0: all).
 * `choice` may be NULL: every token. ur_corpus_open reads a text for a model that has its
 * vocabulary, which is not kept; reading stops after max_tokens.
 * UR_INVALID: options (ur_text_check), a reserved token's name. UR_BAD_FILE, besides what stands at
 * the top: a text without a token, a word longer than UR_TOKEN_LONGEST and, when opening with a
 * vocabulary that has no <unk>, a token that it lacks (named, with its line). */
ur_status ur_corpus_learn(const ur_allocator *a, const char *path, const ur_text_options *options,
                          const ur_vocabulary_options *choice, size_t max_tokens, ur_corpus **out,
                          ur_vocabulary **vocabulary, ur_err *err);
ur_status ur_corpus_open(const ur_allocator *a, const char *path, const ur_text_options *options,
                         const ur_vocabulary *vocabulary, size_t max_tokens, ur_corpus **out,
                         ur_err *err);

void ur_corpus_free(ur_corpus *corpus);
ur_ids ur_corpus_ids(const ur_corpus *corpus);           /* all of them */
size_t ur_corpus_unknown(const ur_corpus *corpus);       /* how many are <unk>, written so or not */
uint64_t ur_corpus_fingerprint(const ur_corpus *corpus); /* ur_ids_fingerprint of all */

/* Cuts a text in two: `valid` gets the last floor(fraction * tokens) tokens, `train` those before.
 * UR_INVALID: a fraction outside 0..1. */
ur_status ur_ids_split(ur_ids ids, double fraction, ur_ids *train, ur_ids *valid, ur_err *err);

/* How often an id occurs; and 64 bits that tell different ids (or numbers of them) apart but for
 * one chance in 2^64 or so, equal on all machines: whether a run goes on with the data it had. */
size_t ur_ids_count(ur_ids ids, int32_t id);
uint64_t ur_ids_fingerprint(ur_ids ids);

/* ---- texts with labels --------------------------------------------------------------------- */

typedef enum ur_labelled_kind {
    UR_TAGGED,    /* a label for each token: one token a line, its label behind it, sentences
                     separated by blank lines (one or more). A line with a tab is cut at its tabs
                     alone, others at runs of spaces; all lines have as many columns. The first is the
                     token, the last the label, unless ur_reading says otherwise. A line whose token
                     is -DOCSTART- is a border like a blank one (CoNLL-2003). A file whose first line
                     has ten columns between tabs and a number in the first is CoNLL-U: columns FORM
                     and UPOS; comments, ranges and empty nodes are passed over, and columns can be
                     called by their names. */
    UR_CLASSIFIED /* a label for each text: label, tab, text, one a line. Spaces around the label
                     are dropped; further tabs belong to the text. Or a file of values, see
                     ur_reading. */
} ur_labelled_kind;

/* Sequences of token ids with their labels' ids, in the file's order. */
typedef struct ur_labelled ur_labelled;

/* ur_labelled_learn reads the data to train with and finds out two vocabularies, which the caller
 * frees: tokens (as ur_vocabulary_options says, <unk> first) and labels (by first appearance,
 * nothing reserved). ur_labelled_open reads data for a model that has both; neither is kept. A label
 * that the labels lack, and a token that the tokens lack where they have no <unk>, are UR_UNKNOWN.
 * reading may be NULL.
 *
 * UR_CLASSIFIED: each text is cut by the options, as a line. UR_TAGGED: tokens are as the file has
 * them; of the options `lower` and `unicode` apply, and <name> stands for a reserved token; the
 * tokenizer is WORDS, without letters_only. Both are without line_ends. UR_INVALID: other options, or
 * those that ur_text_check refuses.
 *
 * UR_BAD_FILE, with the line's number: a line of one column, or without tab; a line of another number
 * of columns than the first; an empty label; a text without a token; a token or label longer than
 * UR_TOKEN_LONGEST, a sequence longer than UR_LABELLED_LONGEST where no max_length is given. Without a
 * line: a file in which there is no sequence. */
ur_status ur_labelled_learn(const ur_allocator *a, const char *path, ur_labelled_kind kind,
                            const ur_text_options *options, const ur_reading *reading,
                            const ur_vocabulary_options *choice, ur_labelled **out,
                            ur_vocabulary **tokens, ur_vocabulary **labels, ur_err *err);
ur_status ur_labelled_open(const ur_allocator *a, const char *path, ur_labelled_kind kind,
                           const ur_text_options *options, const ur_reading *reading,
                           const ur_vocabulary *tokens, const ur_vocabulary *labels,
                           ur_labelled **out, ur_err *err);

void ur_labelled_free(ur_labelled *labelled);
size_t ur_labelled_count(const ur_labelled *labelled);          /* sequences, at least 1 */
size_t ur_labelled_all_tokens(const ur_labelled *labelled);     /* of all sequences */
size_t ur_labelled_unknown(const ur_labelled *labelled);        /* tokens: <unk> or UR_UNKNOWN */
size_t ur_labelled_unknown_labels(const ur_labelled *labelled); /* labels that are UR_UNKNOWN */
/* Sentence i about what reading the file found: its form, lines passed over, cut or left out, what
 * the model does not know, labels that look wrong. NULL behind the last. */
const char *ur_labelled_remark(const ur_labelled *labelled, size_t i);
uint64_t ur_labelled_fingerprint(const ur_labelled *labelled); /* of tokens, labels and lengths */

/* Sequence `index`: its token ids, at least one, and its labels' ids: as many for UR_TAGGED, one for
 * UR_CLASSIFIED. Valid as long as the data set; behind the last sequence there is nothing. */
ur_ids ur_labelled_tokens(const ur_labelled *labelled, size_t index);
ur_ids ur_labelled_labels(const ur_labelled *labelled, size_t index);

#ifdef __cplusplus
}
#endif

#endif
