/* test_odd_texts.c - text.h, corpus.h, parallel.h, bpe.h, wordpiece.h, bleu.h, io.h and field.h with odd
 * arguments (odd.h). */
#include "api/odd.h"
#include "support/faulty_syscalls.h"

#include <unistd.h>

/* One of each thing that is made from files. */
typedef struct things {
    ur_vocabulary *vocabulary, *made, *words, *labels;
    ur_corpus *corpus;
    ur_labelled *tagged;
    ur_pairs *pairs;
    ur_pair_format format;
    ur_parallel *parallel;
    ur_languages languages;
    ur_bpe *bpe;
    ur_wordpiece *wordpiece;
    ur_pieces pieces;
    ur_bleu *bleu;
    ur_chrf *chrf;
    ur_st *st;
    ur_windows *windows;
} things;

static things t;
static const ur_allocator *const hooks = &odd.allocator;
static const int32_t ids[] = {0, 1, 2, 1, 0, 2, 1, 1, 0, 2, 1, 0};
static const ur_ids some = {ids, 12};
static const ur_text_options as_words = {.tokenizer = UR_WORDS};
static const ur_parallel_options as_parallel = {.text = {.tokenizer = UR_WORDS_JOINED},
                                                .merges = 3};
static int32_t room[40000];
static char text[64];

static void fine(ur_status status, const ur_err *err)
{
    if (status != UR_OK)
        fail_msg("%s", err->text);
}

static void write_text(const char *path, const char *what)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(what, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void make_weights(void)
{
    static const float w[6] = {1, 2, 3, 4, 5, 6};
    static const int64_t n[2] = {7, 8};
    static const uint64_t u[1] = {9};
    const size_t shape[2] = {2, 3}, two[1] = {2}, one[1] = {1};
    const ur_st_tensor tensors[] = {
        {"w", UR_ST_F32, 2, shape, w}, {"n", UR_ST_I64, 1, two, n}, {"u", UR_ST_U64, 1, one, u}};
    const ur_st_pair pair = {"key", "value"};
    fine(ur_st_write(hooks, "weights", tensors, 3, &pair, 1, &odd.err), &odd.err);
    fine(ur_st_open(hooks, "weights", &t.st, &odd.err), &odd.err);
}

static void make_things(void)
{
    ur_err *err = &odd.err;
    const ur_pair_source pairs = {.data = "pairs.tsv"};
    const ur_window_options windows = {.batch = 2, .bptt = 2};
    write_text("pairs.tsv", "ab\tba\nabc\tcba\nb\tb\n");
    write_text("text.txt", "the cat sat on the mat\nthe dog\n");
    write_text("tags.txt", "the D\ncat N\n\nthe D\ndog N\n");
    write_text("classes.txt", "up\tthe cat\ndown\ta dog sat\n");
    write_text("two.tsv", "go home\tva chez toi\ngo on\tva toi\ncome home\tviens chez toi\n");
    write_text("vocab", "[UNK]\n[CLS]\n[SEP]\n[PAD]\n[MASK]\nthe\ncat\n##s\n");
    fine(ur_corpus_learn(hooks, "text.txt", &as_words, NULL, 0, &t.corpus, &t.vocabulary, err),
         err);
    fine(ur_labelled_learn(hooks, "tags.txt", UR_TAGGED, &as_words, NULL, NULL, &t.tagged, &t.words,
                           &t.labels, err),
         err);
    fine(ur_pairs_learn(hooks, &pairs, NULL, &t.pairs, &t.made, &t.format, err), err);
    ur_vocabulary_free(t.made);
    fine(ur_parallel_learn(hooks, "two.tsv", &as_parallel, NULL, &t.parallel, NULL, &t.languages,
                           err),
         err);
    fine(ur_bpe_learn(hooks, 2, (const ur_word_count[]){{"lower", 5, 3}, {"low", 3, 4}}, 3, 0,
                      &t.bpe, err),
         err);
    fine(ur_bpe_save(t.bpe, "codes", err), err);
    const ur_wordpiece_options options = ur_wordpiece_defaults();
    fine(ur_wordpiece_load(hooks, "vocab", &options, &t.wordpiece, err), err);
    fine(ur_bleu_new(hooks, UR_BLEU_13A, &t.bleu, err), err);
    fine(ur_chrf_new(hooks, &t.chrf, err), err);
    fine(ur_windows_new(hooks, some, &windows, &t.windows, err), err);
    make_weights();
    fine(ur_vocabulary_save(t.vocabulary, "vocab.txt", err), err);
}

static void free_things(void)
{
    ur_windows_free(t.windows);
    ur_chrf_free(t.chrf);
    ur_bleu_free(t.bleu);
    ur_pieces_free(&t.pieces);
    ur_wordpiece_free(t.wordpiece);
    ur_bpe_free(t.bpe);
    ur_languages_free(&t.languages);
    ur_parallel_free(t.parallel);
    ur_pairs_free(t.pairs);
    ur_labelled_free(t.tagged);
    ur_vocabulary_free(t.words);
    ur_vocabulary_free(t.labels);
    ur_corpus_free(t.corpus);
    ur_vocabulary_free(t.vocabulary);
    ur_st_close(t.st);
    assert_int_equal(odd.bytes, 0);
}

static void fresh(void)
{
    t.made = NULL;
}

static void stale(void)
{
    ur_vocabulary_free(t.made);
}

static ur_vocabulary *new_vocabulary(void)
{
    if (!t.made)
        fine(ur_vocabulary_new(hooks, &t.made, &odd.err), &odd.err);
    return t.made;
}

/* ---- what a call is given --------------------------------------------------------------------------- */

static const ur_text_options *some_options(ur_tokenizer tokenizer)
{
    static ur_text_options o;
    o = (ur_text_options){.tokenizer = (ur_tokenizer)an_enum((int)tokenizer, 5),
                          .letters_only = a_flag(false),
                          .lower = a_flag(false),
                          .line_ends = a_flag(false),
                          .unicode = (ur_unicode)an_enum(0, 3)};
    return &o;
}

static const ur_reading *a_reading(void)
{
    static ur_reading r;
    r = (ur_reading){a_text_or_null(NULL), a_text_or_null(NULL), a_size(0), a_flag(false)};
    return or_null(&r);
}

static const ur_vocabulary_options *a_choice(void)
{
    static const char *reserved[1];
    static ur_vocabulary_options c;
    reserved[0] = a_text("pad");
    c = (ur_vocabulary_options){a_size(0), a_size(0), reserved, a_count(1)};
    return or_null(&c);
}

static const ur_pair_source *a_source(const char *data)
{
    static ur_pair_source s;
    s = (ur_pair_source){.data = a_text(data),
                         .size = a_size(5),
                         .seed = a_seed(),
                         .split = (ur_split)an_enum(0, 2),
                         .reading = a_reading()};
    return &s;
}

static const ur_pair_format *a_format(void)
{
    static ur_pair_format f;
    f = t.format;
    f.form = (ur_pair_form)an_enum((int)f.form, 2);
    f.strip = a_flag(false);
    f.lower = a_flag(false);
    f.unicode = (ur_unicode)an_enum(0, 3);
    f.reverse_input = a_flag(false);
    f.answer_order = (ur_answer_order)an_enum(0, 3);
    f.question_width = a_size(f.question_width);
    f.answer_steps = a_size(f.answer_steps);
    f.start = an_int(f.start);
    f.end = an_int(f.end);
    return &f;
}

static const ur_parallel_options *two_options(void)
{
    static ur_parallel_options o;
    o = (ur_parallel_options){.text = *some_options(UR_WORDS_JOINED),
                              .merges = a_size(3),
                              .codes = a_text_or_null(NULL),
                              .joint = a_flag(false),
                              .min_freq = a_size(1),
                              .max_size = a_size(0),
                              .threshold = a_size(0),
                              .max_length = a_size(0)};
    return &o;
}

static const ur_valid_part *a_part(void)
{
    static ur_valid_part p;
    p = (ur_valid_part){a_real(0.4), a_seed()};
    return or_null(&p);
}

static const char *a_path(void)
{
    return a_text("out");
}

/* ---- the tables ------------------------------------------------------------------------------------- */

static void texts(void **unused)
{
    ur_tokenizer tokenizer;
    ur_corpus *corpus = NULL;
    ur_vocabulary *made = NULL, *labels = NULL;
    ur_labelled *labelled = NULL;
    ur_ids train, valid;
    size_t n, m;
    int32_t id;
    (void)unused;
    ODD(ur_vocabulary_new, {
        made = NULL;
        said(ur_vocabulary_new(or_null(hooks), &made, an_err()));
        ur_vocabulary_free(made);
    })
    ODD(ur_vocabulary_free, ur_vocabulary_free(NULL))
    ODD(ur_vocabulary_size, (void)ur_vocabulary_size(t.vocabulary))
    ODD(ur_vocabulary_find, {
        const char *s = a_text("the");
        (void)ur_vocabulary_find(t.vocabulary, s, strlen(s));
    })
    ODD(ur_vocabulary_find_character,
        (void)ur_vocabulary_find_character(t.vocabulary, (uint32_t)a_size(65)))
    ODD(ur_vocabulary_find_reserved, (void)ur_vocabulary_find_reserved(t.vocabulary, a_text("unk")))
    ODD(ur_vocabulary_add, {
        const char *s = a_text("the");
        said(ur_vocabulary_add(new_vocabulary(), s, strlen(s), &id, an_err()));
    })
    ODD(ur_vocabulary_add_character,
        said(ur_vocabulary_add_character(new_vocabulary(), (uint32_t)a_size(65), &id, an_err())))
    ODD(ur_vocabulary_add_reserved,
        said(ur_vocabulary_add_reserved(new_vocabulary(), a_text("pad"), &id, an_err())))
    ODD(ur_vocabulary_token, (void)ur_vocabulary_token(t.vocabulary, an_int(1), to_null(&n)))
    ODD(ur_vocabulary_is_reserved, (void)ur_vocabulary_is_reserved(t.vocabulary, an_int(1)))
    ODD(ur_vocabulary_decode,
        (void)ur_vocabulary_decode(t.vocabulary, (const int32_t[2]){an_int(1), 2}, a_count(2), text,
                                   a_count(64)))
    ODD(ur_vocabulary_save, said(ur_vocabulary_save(t.vocabulary, a_path(), an_err())))
    ODD(ur_vocabulary_load, {
        made = NULL;
        said(ur_vocabulary_load(hooks, a_text("vocab.txt"), &made, an_err()));
        ur_vocabulary_free(made);
    })
    ODD(ur_text_encoding, {
        const char *s = a_text("abcd");
        (void)ur_text_encoding(s, strlen(s));
    })
    ODD(ur_text_defaults, (void)ur_text_defaults((ur_tokenizer)an_int(1), a_flag(false)))
    ODD(ur_tokenizer_name, (void)ur_tokenizer_name((ur_tokenizer)an_int(1)))
    ODD(ur_tokenizer_find, (void)ur_tokenizer_find(a_text("word"), &tokenizer))
    ODD(ur_text_check, said(ur_text_check(some_options(UR_WORDS), or_null(t.vocabulary), an_err())))
    ODD(ur_text_encode, {
        const char *s = a_text("the cat");
        said(ur_text_encode(some_options(UR_WORDS), t.vocabulary, s, strlen(s), room, &n,
                            to_null(&m), an_err()));
    })
    ODD(ur_text_piece, (void)ur_text_piece(some_options(UR_WORDS), t.vocabulary, an_int(1),
                                           an_int(2), text, a_count(64)))
    ODD(ur_text_decode,
        (void)ur_text_decode(some_options(UR_WORDS), t.vocabulary, an_int(1),
                             (const int32_t[2]){an_int(1), 2}, a_count(2), text, a_count(64)))
    ODD(ur_corpus_learn, {
        corpus = NULL;
        made = NULL;
        said(ur_corpus_learn(hooks, a_text("text.txt"), some_options(UR_WORDS), a_choice(),
                             a_size(0), &corpus, &made, an_err()));
        ur_corpus_free(corpus);
        ur_vocabulary_free(made);
    })
    ODD(ur_corpus_open, {
        corpus = NULL;
        said(ur_corpus_open(hooks, a_text("text.txt"), some_options(UR_WORDS), t.vocabulary,
                            a_size(0), &corpus, an_err()));
        ur_corpus_free(corpus);
    })
    ODD(ur_corpus_free, ur_corpus_free(NULL))
    ODD(ur_corpus_ids, (void)ur_corpus_ids(t.corpus))
    ODD(ur_corpus_unknown, (void)ur_corpus_unknown(t.corpus))
    ODD(ur_corpus_fingerprint, (void)ur_corpus_fingerprint(t.corpus))
    ODD(ur_ids_split, said(ur_ids_split(some, a_real(0.5), &train, &valid, an_err())))
    ODD(ur_ids_count, (void)ur_ids_count(some, an_int(1)))
    ODD(ur_ids_fingerprint, (void)ur_ids_fingerprint((ur_ids){ids, a_count(12)}))
    ODD(ur_labelled_learn, {
        labelled = NULL;
        made = labels = NULL;
        said(ur_labelled_learn(hooks, a_text("tags.txt"), (ur_labelled_kind)an_enum(0, 2),
                               some_options(UR_WORDS), a_reading(), a_choice(), &labelled, &made,
                               &labels, an_err()));
        ur_labelled_free(labelled);
        ur_vocabulary_free(made);
        ur_vocabulary_free(labels);
    })
    ODD(ur_labelled_learn, {
        labelled = NULL;
        made = labels = NULL;
        said(ur_labelled_learn(hooks, a_text("classes.txt"), (ur_labelled_kind)an_enum(1, 2),
                               some_options(UR_WORDS), a_reading(), a_choice(), &labelled, &made,
                               &labels, an_err()));
        ur_labelled_free(labelled);
        ur_vocabulary_free(made);
        ur_vocabulary_free(labels);
    })
    ODD(ur_labelled_open, {
        labelled = NULL;
        said(ur_labelled_open(hooks, a_text("tags.txt"), (ur_labelled_kind)an_enum(0, 2),
                              some_options(UR_WORDS), a_reading(), t.words, t.labels, &labelled,
                              an_err()));
        ur_labelled_free(labelled);
    })
    ODD(ur_labelled_free, ur_labelled_free(NULL))
    ODD(ur_labelled_count, (void)ur_labelled_count(t.tagged))
    ODD(ur_labelled_all_tokens, (void)ur_labelled_all_tokens(t.tagged))
    ODD(ur_labelled_unknown, (void)ur_labelled_unknown(t.tagged))
    ODD(ur_labelled_unknown_labels, (void)ur_labelled_unknown_labels(t.tagged))
    ODD(ur_labelled_remark, (void)ur_labelled_remark(t.tagged, a_size(0)))
    ODD(ur_labelled_fingerprint, (void)ur_labelled_fingerprint(t.tagged))
    ODD(ur_labelled_tokens, (void)ur_labelled_tokens(t.tagged, a_size(0)))
    ODD(ur_labelled_labels, (void)ur_labelled_labels(t.tagged, a_size(0)))
    odd_end();
}

static void pairs(void **unused)
{
    ur_pairs *pairs = NULL;
    ur_vocabulary *made = NULL;
    ur_pair_format format;
    ur_windows *windows = NULL;
    char *lines = NULL;
    size_t n, m;
    (void)unused;
    const ur_vocabulary *const symbols = t.vocabulary;
    ODD(ur_pair_format_check, {
        const ur_pair_format *f = a_format();
        const ur_status s = ur_pair_format_check(f, symbols, an_err());
        if (odd.calls > 1)
            said(s);
    })
    ODD(ur_pairs_learn, {
        pairs = NULL;
        made = NULL;
        const ur_pair_format *f = a_format();
        odd.refused = false;
        said(ur_pairs_learn(hooks, a_source("pairs.tsv"), or_null(f), &pairs, &made, &format,
                            an_err()));
        odd.refused = false;
        ur_pairs_free(pairs);
        ur_vocabulary_free(made);
    })
    ODD(ur_pairs_open, {
        pairs = NULL;
        const ur_status s =
            ur_pairs_open(hooks, a_source("pairs.tsv"), a_format(), symbols, &pairs, an_err());
        if (odd.calls > 1)
            said(s);
        odd.refused = false;
        ur_pairs_free(pairs);
    })
    ODD(ur_pairs_remark, (void)ur_pairs_remark(t.pairs, a_size(0)))
    ODD(ur_pairs_unknown, (void)ur_pairs_unknown(t.pairs))
    ODD(ur_pairs_free, ur_pairs_free(NULL))
    ODD(ur_pairs_count, (void)ur_pairs_count(t.pairs))
    ODD(ur_pairs_question, (void)ur_pairs_question(t.pairs, a_size(0)))
    ODD(ur_pairs_answer, (void)ur_pairs_answer(t.pairs, a_size(0)))
    ODD(ur_pair_input, ur_pair_input(a_format(), (ur_ids){ids, a_count(3)}, room))
    ODD(ur_pair_steps, (void)ur_pair_steps(a_format(), a_size(3)))
    ODD(ur_pair_target, ur_pair_target(a_format(), (ur_ids){ids, a_count(3)}, room, room + 100))
    ODD(ur_pair_answer, (void)ur_pair_answer(a_format(), an_int(0), ids, a_count(3), room))
    ODD(ur_pair_encode, {
        const char *s = a_text("ab");
        const ur_pair_format *f = a_format();
        if (f->question_width < 10000) {
            const ur_status status =
                ur_pair_encode(f, symbols, s, strlen(s), room, &n, to_null(&m), an_err());
            odd.refused = false;
            said(status);
        } else {
            (void)to_null(&m);
            (void)an_err();
        }
    })
    ODD(ur_pairs_generate, {
        lines = NULL;
        said(ur_pairs_generate(hooks, a_source("builtin:dates"), &lines, &n, an_err()));
        if (lines)
            hooks->release(NULL, lines);
    })
    ODD(ur_windows_new, {
        windows = NULL;
        const ur_window_options o = {a_size(2), a_size(2), (ur_sampling)an_enum(0, 2),
                                     a_flag(false)};
        said(ur_windows_new(hooks, (ur_ids){ids, a_count(12)}, &o, &windows, an_err()));
        if (windows)
            (void)ur_windows_start(windows, 1, 1);
        ur_windows_free(windows);
    })
    ODD(ur_windows_free, ur_windows_free(NULL))
    ODD(ur_windows_start, (void)ur_windows_start(t.windows, a_seed(), a_seed()))
    ODD(ur_windows_count, (void)ur_windows_count(t.windows))
    ODD(ur_windows_at, (void)ur_windows_at(t.windows, a_size(0)))
    odd_end();
}

static void languages(void **unused)
{
    ur_parallel *train = NULL, *valid = NULL;
    ur_languages made;
    ur_bpe *bpe = NULL;
    size_t n, m, end[6000];
    (void)unused;
    ODD(ur_parallel_check, said(ur_parallel_check(two_options(), an_err())))
    ODD(ur_languages_free, {
        made = (ur_languages){NULL, NULL, NULL, NULL};
        ur_languages_free(&made);
    })
    ODD(ur_languages_side,
        (void)ur_languages_side(&t.languages, &as_parallel.text, odd_pick(1) ? 1 : 0))
    ODD(ur_parallel_learn, {
        train = valid = NULL;
        made = (ur_languages){NULL, NULL, NULL, NULL};
        said(ur_parallel_learn(hooks, a_text("two.tsv"), two_options(), a_part(), &train, &valid,
                               &made, an_err()));
        ur_parallel_free(train);
        ur_parallel_free(valid);
        ur_languages_free(&made);
    })
    ODD(ur_parallel_open, {
        train = valid = NULL;
        said(ur_parallel_open(hooks, a_text("two.tsv"), two_options(), &t.languages, a_flag(true),
                              a_part(), &train, &valid, an_err()));
        ur_parallel_free(train);
        ur_parallel_free(valid);
    })
    ODD(ur_parallel_free, ur_parallel_free(NULL))
    ODD(ur_parallel_count, (void)ur_parallel_count(t.parallel))
    ODD(ur_parallel_ids, (void)ur_parallel_ids(t.parallel, a_size(0), an_int(0)))
    ODD(ur_parallel_text, (void)ur_parallel_text(t.parallel, a_size(0), an_int(0)))
    ODD(ur_parallel_noted, assert_non_null(ur_parallel_noted(t.parallel)))
    ODD(ur_parallel_remark, (void)ur_parallel_remark(t.parallel, a_size(0)))
    ODD(ur_bpe_learn, {
        bpe = NULL;
        const char *s = a_text("lower");
        const ur_word_count words[2] = {{s, strlen(s), a_size(3)}, {"low", 3, a_size(4)}};
        said(ur_bpe_learn(hooks, a_count(2), words, a_size(3), a_size(0), &bpe, an_err()));
        ur_bpe_free(bpe);
    })
    ODD(ur_bpe_free, ur_bpe_free(NULL))
    ODD(ur_bpe_count, (void)ur_bpe_count(t.bpe))
    ODD(ur_bpe_load, {
        bpe = NULL;
        said(ur_bpe_load(hooks, a_text("codes"), &bpe, an_err()));
        ur_bpe_free(bpe);
    })
    ODD(ur_bpe_save, said(ur_bpe_save(t.bpe, a_path(), an_err())))
    ODD(ur_bpe_split, {
        const char *s = a_text("lower");
        (void)ur_bpe_split(t.bpe, or_null(t.vocabulary), s, strlen(s), end);
    })
    ODD(ur_subwords_cuts, {
        const char *s = a_text("lower");
        (void)ur_subwords_cuts(s, strlen(s));
    })
    ODD(ur_subwords_encode, {
        const char *s = a_text("go on");
        const ur_subwords w = {some_options(UR_WORDS_JOINED), or_null(t.languages.source_bpe),
                               t.languages.source};
        said(ur_subwords_encode(&w, s, strlen(s), room, &n, to_null(&m), an_err()));
    })
    ODD(ur_subwords_decode, {
        const ur_subwords w = {some_options(UR_WORDS_JOINED), or_null(t.languages.source_bpe),
                               t.languages.source};
        (void)ur_subwords_decode(&w, (const int32_t[2]){an_int(3), 4}, a_count(2), text,
                                 a_count(64));
    })
    odd_end();
}

static void pieces(void **unused)
{
    static const char *const more[1] = {"the"};
    ur_wordpiece *wordpiece = NULL;
    ur_bleu *bleu = NULL;
    ur_chrf *chrf = NULL;
    char signature[UR_SIGNATURE];
    double score;
    (void)unused;
#define OPTIONS                                                                                    \
    &(ur_wordpiece_options){a_flag(true),                                                          \
                            a_flag(true),                                                          \
                            a_flag(true),                                                          \
                            {a_text_or_null("[UNK]"), a_text_or_null("[CLS]"),                     \
                             a_text_or_null("[SEP]"), a_text_or_null("[PAD]"),                     \
                             a_text_or_null("[MASK]")},                                            \
                            more,                                                                  \
                            a_count(1)}
    ODD(ur_wordpiece_defaults, (void)ur_wordpiece_defaults())
    ODD(ur_wordpiece_load, {
        wordpiece = NULL;
        said(ur_wordpiece_load(hooks, a_text("vocab"), OPTIONS, &wordpiece, an_err()));
        ur_wordpiece_free(wordpiece);
    })
    ODD(ur_wordpiece_parse, {
        wordpiece = NULL;
        const char *s = a_text("[UNK]\n[CLS]\n[SEP]\n[PAD]\n[MASK]\nthe\n");
        said(
            ur_wordpiece_parse(hooks, a_text("name"), s, strlen(s), OPTIONS, &wordpiece, an_err()));
        ur_wordpiece_free(wordpiece);
    })
    ODD(ur_wordpiece_free, ur_wordpiece_free(NULL))
    ODD(ur_wordpiece_size, (void)ur_wordpiece_size(t.wordpiece))
    ODD(ur_wordpiece_token, (void)ur_wordpiece_token(t.wordpiece, an_int(0)))
    ODD(ur_wordpiece_find, {
        const char *s = a_text("the");
        (void)ur_wordpiece_find(t.wordpiece, s, strlen(s));
    })
    ODD(ur_wordpiece_special, (void)ur_wordpiece_special(t.wordpiece, (ur_special)an_int(0)))
    ODD(ur_wordpiece_encode, {
        const char *s = a_text("the cats"), *p = a_text_or_null("cat");
        said(ur_wordpiece_encode(t.wordpiece, s, strlen(s), p, p ? strlen(p) : 0, a_size(9),
                                 (ur_cutting)an_enum(0, 4), &t.pieces, an_err()));
    })
    ODD(ur_pieces_free, {
        ur_pieces none = {NULL, 0, 0, NULL, 0, NULL, 0};
        ur_pieces_free(&none);
    })
    ODD(ur_bleu_new, {
        bleu = NULL;
        said(ur_bleu_new(or_null(hooks), (ur_bleu_tokenizer)an_enum(0, 2), &bleu, an_err()));
        ur_bleu_free(bleu);
    })
    ODD(ur_bleu_free, ur_bleu_free(NULL))
    ODD(ur_bleu_add, said(ur_bleu_add(t.bleu, a_text("a b c d"), a_count(1),
                                      (const char *const[1]){a_text("a b c d")}, an_err())))
    ODD(ur_bleu_result, (void)ur_bleu_result(t.bleu))
    ODD(ur_bleu_signature, (void)ur_bleu_signature(t.bleu, signature))
    ODD(ur_chrf_new, {
        chrf = NULL;
        said(ur_chrf_new(or_null(hooks), &chrf, an_err()));
        ur_chrf_free(chrf);
    })
    ODD(ur_chrf_free, ur_chrf_free(NULL))
    ODD(ur_chrf_add, said(ur_chrf_add(t.chrf, a_text("a b c d"), a_count(1),
                                      (const char *const[1]){a_text("a b c d")}, an_err())))
    ODD(ur_chrf_result, (void)ur_chrf_result(t.chrf))
    ODD(ur_chrf_signature, (void)ur_chrf_signature(t.chrf, signature))
    ODD(ur_bleu_sentence, said(ur_bleu_sentence(or_null(hooks), a_text("a b c"), a_text("a b d"),
                                                a_size(2), &score, an_err())))
    odd_end();
}

/* A chart of three points. */
static const ur_plot_chart *a_chart(void)
{
    static double x[3], y[3], bound[1];
    static ur_plot_series series;
    static ur_plot_panel panel[4];
    static ur_plot_chart chart;
    for (int i = 0; i < 3; i++) {
        x[i] = a_real(i);
        y[i] = a_real(i);
    }
    bound[0] = a_real(1.0);
    series = (ur_plot_series){a_text_or_null("s"), a_count(3), x, y};
    panel[0] = (ur_plot_panel){a_text_or_null("y"), &series,       a_count(1),   a_real(0.0),
                               a_real(4.0),         a_flag(false), a_flag(false)};
    panel[1] = panel[2] = panel[3] = panel[0];
    chart = (ur_plot_chart){a_text_or_null("t"),
                            a_text_or_null("x"),
                            panel,
                            odd_pick(1) ? SIZE_MAX : a_count(1),
                            odd_pick(1) ? bound : NULL,
                            NULL,
                            0};
    return &chart;
}

static const ur_heat_map *a_map(void)
{
    static const char *labels[4];
    static float values[16];
    static const size_t counts[16] = {SIZE_MAX, 1, 2, 3};
    static ur_heat_map map;
    for (int i = 0; i < 4; i++)
        labels[i] = a_text("l");
    values[0] = a_float(0.5f);
    map = (ur_heat_map){.title = a_text_or_null("t"),
                        .row_title = a_text_or_null("r"),
                        .column_title = a_text_or_null("c"),
                        .value_title = a_text_or_null("v"),
                        .rows = odd_pick(1) ? SIZE_MAX : a_count(2),
                        .columns = odd_pick(1) ? 1001 : a_count(2),
                        .row_labels = labels,
                        .column_labels = labels,
                        .values = values,
                        .least = a_real(0.0),
                        .most = a_real(1.0),
                        .counts = odd_pick(1) ? counts : NULL,
                        .down = odd_pick(1) ? SIZE_MAX : a_count(1),
                        .across = odd_pick(1) ? SIZE_MAX : a_count(2),
                        .map_titles = or_null(labels)};
    return &map;
}

static void files(void **unused)
{
    static float floats[16];
    static int64_t whole[16];
    static uint64_t natural[16];
    static char bytes[4096];
    const char *key, *value;
    ur_st *st = NULL;
    (void)unused;
    FILE *f = fopen("weights", "rb");
    assert_non_null(f);
    const size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    ODD(ur_st_dtype_name, assert_non_null(ur_st_dtype_name((ur_st_dtype)an_int(0))))
    ODD(ur_st_dtype_size, (void)ur_st_dtype_size((ur_st_dtype)an_int(0)))
    ODD(ur_st_open, {
        st = NULL;
        said(ur_st_open(or_null(hooks), a_text("weights"), &st, an_err()));
        ur_st_close(st);
    })
    ODD(ur_st_open_bytes, {
        st = NULL;
        said(ur_st_open_bytes(or_null(hooks), a_text("name"), bytes, a_count(size), &st, an_err()));
        ur_st_close(st);
    })
    ODD(ur_st_close, ur_st_close(NULL))
    ODD(ur_st_count, (void)ur_st_count(t.st))
    ODD(ur_st_at, (void)ur_st_at(t.st, a_size(0)))
    ODD(ur_st_find, (void)ur_st_find(t.st, a_text("w")))
    ODD(ur_st_index, (void)ur_st_index(t.st, a_text("w")))
    ODD(ur_st_metadata, (void)ur_st_metadata(t.st, a_text("key")))
    ODD(ur_st_metadata_count, (void)ur_st_metadata_count(t.st))
    ODD(ur_st_metadata_at, ur_st_metadata_at(t.st, a_size(0), &key, &value))
    ODD(ur_st_read_floats,
        said(ur_st_read_floats(t.st, a_size(ur_st_index(t.st, "w")), floats, an_err())))
    ODD(ur_st_read_i64, said(ur_st_read_i64(t.st, a_size(ur_st_index(t.st, "n")), whole, an_err())))
    ODD(ur_st_read_u64,
        said(ur_st_read_u64(t.st, a_size(ur_st_index(t.st, "u")), natural, an_err())))
    ODD(ur_st_load_floats,
        said(ur_st_load_floats(t.st, a_text("w"), an_int(2),
                               (const size_t[8]){a_size(2), a_size(3)}, floats, an_err())))
    ODD(ur_st_write, {
        const size_t shape[8] = {a_size(2), a_size(3), 1, 1, 1, 1, 1, 1};
        const ur_st_tensor w = {a_text("w"), (ur_st_dtype)an_int(UR_ST_F32), an_int(2), shape,
                                bytes};
        const ur_st_pair pair = {a_text("k"), a_text("v")};
        const char *path = a_path();
        /* more than stands in `bytes`: the caller's affair */
        size_t count = 1;
        bool fits = true;
        for (int i = 0; i < w.ndim && i < 8; i++) {
            fits = fits && (!shape[i] || count <= 400 / shape[i]);
            count *= fits ? shape[i] : 1;
        }
        const size_t n = a_count(1), m = a_count(1);
        ur_err *err = an_err();
        if (fits || count > 400)
            said(ur_st_write(or_null(hooks), path, &w, n, &pair, m, err));
        else
            (void)or_null(hooks);
    })
    ODD(ur_plot_lines, said(ur_plot_lines(hooks, a_chart(), a_path(), an_err())))
    ODD(ur_plot_heat_map, said(ur_plot_heat_map(hooks, a_map(), a_path(), an_err())))
    ODD(ur_plot_confusion, {
        const char *const names[2] = {a_text("a"), a_text("b")};
        const size_t counts[4] = {a_size(1), a_size(2), a_size(3), a_size(4)};
        const ur_confusion_map map = {a_text_or_null("t"), odd_pick(1) ? SIZE_MAX : a_count(2),
                                      names, counts};
        said(ur_plot_confusion(hooks, &map, a_path(), an_err()));
    })
    odd_end();
}

/* ---- fields ------------------------------------------------------------------------------------------- */

typedef struct shape {
    bool flag;
    size_t size;
    int word;
    double real;
    const char *name, *text;
    uint64_t seed;
} shape;

static const char *const words[] = {"one", "two|zwei", NULL};
static const ur_field fields[] = {
    {.name = "flag",
     .flag = "no-flag",
     .type = UR_FIELD_BOOL,
     .offset = offsetof(shape, flag),
     .help = "a flag"},
    {.name = "a.size",
     .type = UR_FIELD_SIZE,
     .offset = offsetof(shape, size),
     .least = 1,
     .most = 9,
     .initial = "2",
     .help = "a size"},
    {.name = "a.word",
     .type = UR_FIELD_ENUM,
     .offset = offsetof(shape, word),
     .words = words,
     .help = "a word"},
    {.name = "real",
     .type = UR_FIELD_REAL,
     .offset = offsetof(shape, real),
     .most = 1,
     .open = UR_OPEN_MOST,
     .belongs = "a.word=two|one",
     .help = "a number"},
    {.name = "name",
     .type = UR_FIELD_NAME,
     .offset = offsetof(shape, name),
     .words = words,
     .help = "a name"},
    {.name = "text",
     .type = UR_FIELD_TEXT,
     .offset = offsetof(shape, text),
     .least = 1,
     .help = "a text"},
    {.name = "seed", .type = UR_FIELD_SEED, .offset = offsetof(shape, seed), .help = "a seed"},
    {0}};

static const ur_field *a_field(void)
{
    return &fields[odd_pick(6)];
}

static void members(void **unused)
{
    shape config;
    char word[64];
    (void)unused;
    ODD(ur_field_find, (void)ur_field_find(fields, a_text("a.size")))
    ODD(ur_field_find_flag, (void)ur_field_find_flag(fields, a_text("size")))
    ODD(ur_field_flag, (void)ur_field_flag(a_field(), word, a_count(64)))
    ODD(ur_field_word, (void)ur_field_word(a_field(), a_size(0), word, a_count(64)))
    ODD(ur_fields_default, ur_fields_default(fields, &config))
    ODD(ur_field_set, {
        const ur_field *f = a_field();
        const ur_status s = ur_field_set(f, &config, a_text_or_null(NULL), an_err());
        if (odd.calls > 1)
            said(s);
    })
    ur_fields_default(fields, &config);
    ODD(ur_fields_apply, {
        const ur_setting settings[2] = {{a_text("a.size"), a_text("3")}, {NULL, NULL}};
        said(ur_fields_apply(fields, &config, settings, an_err()));
    })
    ur_fields_default(fields, &config);
    ODD(ur_fields_take, {
        shape other = config;
        ur_fields_take(fields, &other, &config);
    })
    ODD(ur_fields_check, {
        shape other = config;
        said(ur_fields_check(fields, a_config(fields, &other), a_text("what"), an_err()));
    })
    ODD(ur_field_applies, {
        shape other = config;
        (void)ur_field_applies(fields, a_field(), a_config(fields, &other));
    })
    ODD(ur_field_print, {
        shape other = config;
        (void)a_config(fields, &other);
        const ur_field *f = a_field();
        (void)ur_field_print(f, &other, word, a_count(64));
    })
    odd_end();
}

static int enter(void **state)
{
    (void)!chdir("/dev/shm"); /* every picture is flushed to its device */
    if (test_folder_enter(state))
        return 1;
    odd_init(fresh, stale);
    make_things();
    return 0;
}

static int leave(void **state)
{
    free_things();
    return test_folder_leave(state);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(texts, enter, leave),
        cmocka_unit_test_setup_teardown(pairs, enter, leave),
        cmocka_unit_test_setup_teardown(languages, enter, leave),
        cmocka_unit_test_setup_teardown(pieces, enter, leave),
        cmocka_unit_test_setup_teardown(files, enter, leave),
        cmocka_unit_test_setup_teardown(members, enter, leave),
    };
    if (argc > 1) /* one table */
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
