/* wordpiece.h - vocabularies of BERT's tokenizer: as bytes, and learned from the words of a text. */
#ifndef UR_TEXT_WORDPIECE_H
#define UR_TEXT_WORDPIECE_H

#include "unroll/bpe.h"
#include "unroll/wordpiece.h"

/* The bytes of its vocab.txt, in fresh memory, and a zero byte after them. */
ur_status ur_wordpiece_print(const ur_wordpiece *wordpiece, char **bytes, size_t *size,
                             ur_err *err);

/* By what rules it cuts; special tokens are its own memory, `more` is left out. Whether there are more. */
bool ur_wordpiece_rules(const ur_wordpiece *wordpiece, ur_wordpiece_options *out);

/* Tells each word that a text is cut into before its pieces are looked for, as the vocabulary would see it:
 * UTF-8, at most 100 characters. `work` is filled with nothing of use. UR_BAD_FILE: not UTF-8; a failure of
 * `tell` is returned. */
ur_status
ur_wordpiece_words(const ur_wordpiece *wordpiece, const char *text, size_t bytes, ur_pieces *work,
                   ur_status (*tell)(void *user, const char *word, size_t bytes, ur_err *err),
                   void *user, ur_err *err);

/* What is learned. */
typedef struct ur_wordpiece_choice {
    const char *const *special; /* (UR_SPECIALS) of ur_wordpiece_options */
    bool whole;                 /* whole words alone */
    size_t max_size;            /* tokens, special ones included; 0: any number */
    size_t min_freq;            /* of words, of characters and of pairs of pieces that become one */
} ur_wordpiece_choice;

/* A vocab.txt in fresh memory: special tokens, the padding first; then words by falling frequency, of equals
 * in the order given, or characters (at a word's beginning, and inside words with ## before them) by
 * falling frequency, and pieces in the order in which they were made: of two neighbours that come up
 * together most often (Schuster and Nakajima 2012, as Hugging Face's tokenizers learn it). UR_INVALID: max_size leaves
 * no room for the special tokens. */
ur_status ur_wordpiece_learn(const ur_allocator *a, size_t words, const ur_word_count *word,
                             const ur_wordpiece_choice *choice, char **text, size_t *size,
                             ur_err *err);

#endif
