/* tokens.h - the tokenizers: how a line of text is cut into tokens, and what stands between tokens
 * where they are printed. */
#ifndef UR_TEXT_TOKENS_H
#define UR_TEXT_TOKENS_H

#include "unroll/corpus.h"

/* A token's text, and the id of the reserved token that it stands for or -1. */
typedef struct ur_token {
    const char *bytes;
    size_t size;
    int32_t reserved;
} ur_token;

typedef struct ur_tokenizer_kind ur_tokenizer_kind;

typedef struct ur_scanner {
    const ur_text_options *options;
    const ur_tokenizer_kind *kind;
    const ur_vocabulary *vocabulary; /* whose reserved tokens count */
    int32_t line_end;                /* id of <eos>, or -1 */
    const char *line, *at, *end;     /* the line, and what is left of it */
    bool begun;                      /* letters_only: a letter was there */
    bool ended;                      /* the line's end is a token that is still to come */
    char token[UR_TOKEN_LONGEST];    /* where a token in lower case is put together */
} ur_scanner;

typedef enum ur_scan { UR_SCAN_TOKEN, UR_SCAN_END, UR_SCAN_TOO_LONG } ur_scan;

/* What a tokenizer is. They stand in one list in tokens.c, in the order of ur_tokenizer; nothing
 * else knows them by number. */
struct ur_tokenizer_kind {
    const char *name, *alias; /* found by either */
    const char *words;        /* "name|alias", as a table of fields has them */
    bool line_feeds;          /* line feeds are tokens; else a line may end with <eos> */
    size_t bytes;             /* that a token and what separates it take, about */
    ur_scan (*next)(ur_scanner *s, ur_token *token);
    /* Whether a space stands between two tokens, neither of them a line's end. */
    bool (*space)(const ur_vocabulary *vocabulary, int32_t previous, int32_t id);
    /* The part of a token that is printed; NULL: all of it. */
    const char *(*shown)(const char *token, size_t *bytes);
};

/* NULL: there is no such tokenizer. */
const ur_tokenizer_kind *ur_tokenizer_of(ur_tokenizer tokenizer);

/* `words` of number i in the list, NULL behind the last: for the rows of field tables. */
const char *ur_tokenizer_words(size_t i);

/* Options that passed ur_text_check with this vocabulary. Neither is copied. */
void ur_scanner_start(ur_scanner *s, const ur_text_options *options,
                      const ur_vocabulary *vocabulary);

/* A line to cut, UTF-8, without its end; `ended`: it had one. */
void ur_scanner_line(ur_scanner *s, const char *bytes, size_t size, bool ended);

/* The line's next token; it is valid until the next call. */
ur_scan ur_scanner_next(ur_scanner *s, ur_token *token);

/* A word that was cut already. */
ur_scan ur_scanner_word(ur_scanner *s, const char *bytes, size_t size, ur_token *token);

/* The id of a token, <unk>'s (which may be -1) if the vocabulary lacks it. */
int32_t ur_token_id(const ur_vocabulary *vocabulary, const ur_token *token, int32_t unknown);

/* ur_text_encode, but a token that the vocabulary lacks and has no <unk> for is UR_UNKNOWN. */
ur_status ur_text_encode_lacking(const ur_text_options *options, const ur_vocabulary *vocabulary,
                                 const char *text, size_t bytes, int32_t *ids, size_t *count,
                                 size_t *unknown, ur_err *err);

/* What the sentences about a token that was not found, and one that is too long, say. `name` stands
 * for the file. */
ur_status ur_token_unknown(ur_err *err, const char *name, size_t line, const ur_token *token);
ur_status ur_token_too_long(ur_err *err, const char *name, size_t line);

#endif
