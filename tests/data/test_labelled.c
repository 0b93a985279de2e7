/* Tests of data/labelled: files of both kinds, ids and labels, data for a model that exists, files
 * that must be refused with their line, every allocation failing. */
#include "data/labelled.h"
#include "support/failing_alloc.h"
#include "support/faulty_syscalls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

typedef struct learned {
    ur_labelled *data;
    ur_vocabulary *tokens, *labels;
} learned;

static const ur_text_options words = {.tokenizer = UR_WORDS};

static learned learn(const char *text, ur_labelled_kind kind, const ur_text_options *o,
                     const ur_vocabulary_options *choice)
{
    learned l;
    ur_err err = {UR_OK, ""};
    if (ur_labelled_learn_bytes(NULL, "data.txt", text, strlen(text), kind, o, NULL, choice,
                                &l.data, &l.tokens, &l.labels, &err) != UR_OK)
        fail_msg("%s", err.text);
    return l;
}

static void forget(learned *l)
{
    ur_labelled_free(l->data);
    ur_vocabulary_free(l->tokens);
    ur_vocabulary_free(l->labels);
}

static void assert_vocabulary(const ur_vocabulary *v, const char *expected)
{
    char text[512], *at = text;
    *at = 0;
    for (int32_t id = 0; (size_t)id < ur_vocabulary_size(v); id++)
        at += sprintf(at, "%s%s", id ? "|" : "", ur_vocabulary_token(v, id, NULL));
    assert_string_equal(text, expected);
}

/* One of the data's remarks is this. */
static void assert_remark(const ur_labelled *d, const char *expected)
{
    const char *remark;
    for (size_t i = 0; (remark = ur_labelled_remark(d, i)); i++)
        if (strcmp(remark, expected) == 0)
            return;
    for (size_t i = 0; (remark = ur_labelled_remark(d, i)); i++)
        print_message("remark: %s\n", remark);
    fail_msg("no remark \"%s\"", expected);
}

static char *print_ids(char *at, ur_ids ids)
{
    for (size_t i = 0; i < ids.length; i++)
        at += sprintf(at, "%s%d", i ? " " : "", ids.ids[i]);
    return at;
}

/* Sequences as "tokens/labels", separated by bars. */
static void assert_data(const ur_labelled *d, const char *expected)
{
    char text[512], *at = text;
    size_t all = 0;
    *at = 0;
    for (size_t i = 0; i < ur_labelled_count(d); i++) {
        at += sprintf(at, "%s", i ? "|" : "");
        at = print_ids(at, ur_labelled_tokens(d, i));
        at += sprintf(at, "/");
        at = print_ids(at, ur_labelled_labels(d, i));
        all += ur_labelled_tokens(d, i).length;
    }
    assert_string_equal(text, expected);
    assert_int_equal(ur_labelled_all_tokens(d), all);
}

static void test_tagged(void **state)
{
    (void)state;
    /* columns by tabs or spaces, more than two of them, blank lines around and between, no blank
     * line at the end */
    learned l =
        learn("\xEF\xBB\xBF\n \t\nthe DT O\r\ndog\t NN\tN \r\n\r\n\n  the x O \n# y O\nthe y N",
              UR_TAGGED, &words, NULL);
    assert_vocabulary(l.tokens, "<unk>|the|dog|#");
    assert_vocabulary(l.labels, "O|N");
    assert_data(l.data, "1 2/0 1|1 3 1/0 0 1");
    assert_int_equal(ur_labelled_unknown(l.data), 0);
    forget(&l);
    ur_text_options lower = {.tokenizer = UR_WORDS, .lower = true};
    ur_vocabulary_options choice = {.min_freq = 2, .max_size = 1};
    l = learn("The a\nthe b\n<unk> a\n\nDog b\ndog <unk>\n", UR_TAGGED, &lower, &choice);
    assert_vocabulary(l.tokens, "<unk>|the");
    assert_vocabulary(l.labels, "a|b|<unk>"); /* a label like any other */
    assert_false(ur_vocabulary_is_reserved(l.labels, 2));
    assert_data(l.data, "1 1 0/0 1 0|0 0/1 2");
    assert_int_equal(ur_labelled_unknown(l.data), 3);
    /* a sentence as text is read in the same way */
    int32_t ids[8];
    size_t count;
    assert_int_equal(ur_text_encode(&lower, l.tokens, "THE cat", 7, ids, &count, NULL, NULL),
                     UR_OK);
    assert_int_equal(count, 2);
    assert_int_equal(ids[0], 1);
    assert_int_equal(ids[1], 0);
    forget(&l);
}

static void test_classified(void **state)
{
    (void)state;
    learned l = learn(" very good \tgreat film\tgreat\nbad\t film \r\nvery good\tfine",
                      UR_CLASSIFIED, &words, NULL);
    assert_vocabulary(l.tokens, "<unk>|great|film|fine");
    assert_vocabulary(l.labels, "very good|bad");
    assert_data(l.data, "1 2 1/0|2/1|3/0");
    forget(&l);
    ur_text_options o = {.tokenizer = UR_CHARACTERS, .lower = true};
    l = learn("0\tAb\n1\tb \n", UR_CLASSIFIED, &o, NULL);
    assert_vocabulary(l.tokens, "<unk>|b|a| ");
    assert_data(l.data, "2 1/0|1 3/1");
    forget(&l);
    o = (ur_text_options){.tokenizer = UR_WORDS_PUNCTUATION};
    l = learn("0\tit's.\n", UR_CLASSIFIED, &o, NULL);
    assert_vocabulary(l.tokens, "<unk>|it's|.");
    forget(&l);
}

static void test_open(void **state)
{
    (void)state;
    learned l = learn("a X\nb Y\n\na X\n", UR_TAGGED, &words, NULL);
    ur_labelled *d;
    ur_err err;
    static const char text[] = "c Y\na X\n\n\nb X\n";
    assert_int_equal(ur_labelled_open_bytes(NULL, "e", text, strlen(text), UR_TAGGED, &words, NULL,
                                            l.tokens, l.labels, &d, &err),
                     UR_OK);
    assert_data(d, "0 1/1 0|2/0");
    assert_int_equal(ur_labelled_unknown(d), 1);
    ur_labelled_free(d);
    /* a label that training had not */
    assert_int_equal(ur_labelled_open_bytes(NULL, "e", "a X\nb Z\n", 8, UR_TAGGED, &words, NULL,
                                            l.tokens, l.labels, &d, &err),
                     UR_OK);
    assert_data(d, "1 2/0 -1");
    assert_int_equal(ur_labelled_unknown_labels(d), 1);
    assert_remark(
        d, "e: 1 of 2 labels were none in training and count as wrong; the first is \"Z\" on "
           "line 2");
    ur_labelled_free(d);
    assert_int_equal(ur_labelled_open_bytes(NULL, "e", "Z\ta\n", 4, UR_CLASSIFIED, &words,
                                            &(ur_reading){.skip = true}, l.tokens, l.labels, &d,
                                            &err),
                     UR_BAD_FILE);
    assert_string_equal(err.text, "e: nothing is left that can be used");
    /* tokens without <unk>: the labels serve as such here */
    assert_int_equal(ur_labelled_open_bytes(NULL, "e", "X\tX\nX\tX q\n", 10, UR_CLASSIFIED, &words,
                                            NULL, l.labels, l.labels, &d, &err),
                     UR_OK);
    assert_data(d, "0/0|0 -1/0");
    assert_int_equal(ur_labelled_unknown(d), 1);
    assert_remark(d, "e: 1 of 3 tokens are unknown to the model and read as nothing");
    ur_labelled_free(d);
    assert_int_equal(ur_vocabulary_size(l.tokens), 3);
    assert_int_equal(ur_vocabulary_size(l.labels), 2);
    forget(&l);
}

static void assert_refused(ur_labelled_kind kind, const ur_text_options *o, const char *text,
                           size_t size, ur_status wanted, const char *says)
{
    learned l = {(ur_labelled *)&l, (ur_vocabulary *)&l, (ur_vocabulary *)&l};
    ur_err err = {UR_OK, ""};
    ur_status status = ur_labelled_learn_bytes(NULL, "data.txt", text, size, kind, o, NULL, NULL,
                                               &l.data, &l.tokens, &l.labels, &err);
    if (status != wanted || l.data || l.tokens || l.labels || !strstr(err.text, says))
        fail_msg("expected \"%s\", got %s: %s", says, ur_status_name(status), err.text);
}

static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        ur_labelled_kind kind;
        const char *text, *says;
    } bad[] = {
        {UR_TAGGED, "", "data.txt: an empty file where tokens with labels"},
        {UR_TAGGED, "\n \n\t\n", "data.txt: an empty file where tokens with labels"},
        {UR_TAGGED, "a X\nb\n", "data.txt: line 2: one column"},
        {UR_TAGGED, "\n b ", "data.txt: line 2: one column"},
        {UR_TAGGED, "\n b \t", "data.txt: line 2: the label is empty"},
        {UR_TAGGED, "\tb\nc\td\n", "data.txt: line 1: the token is empty"},
        {UR_TAGGED, "a b c\n\na c\n", "data.txt: line 3: 2 columns, line 1 has 3"},
        {UR_TAGGED, "a\tb c\na b c\n", "data.txt: line 2: 3 columns, line 1 has 2"},
        {UR_TAGGED, "a X\n\nb\xFF X\n", "line 3: byte 0xff is not valid UTF-8"},
        {UR_CLASSIFIED, "", "data.txt: an empty file where texts with labels"},
        {UR_CLASSIFIED, "a\tb\nc d\n", "line 2: no tab between a label and a text"},
        {UR_CLASSIFIED, "\n\n", "data.txt: an empty file where texts with labels"},
        {UR_CLASSIFIED, "a\tb\n  \tc\n", "line 2: the label is empty"},
        {UR_CLASSIFIED, "a\tb\nc\t \n", "line 2: the text has no token"},
        {UR_CLASSIFIED, "a\tb\nc\t\xED\xA0\x80\n", "line 2: byte 0xed is not valid UTF-8"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(bad[i].kind, &words, bad[i].text, strlen(bad[i].text), UR_BAD_FILE,
                       bad[i].says);
    assert_refused(UR_TAGGED, &words, "a X\nb\0 X\n", 9, UR_BAD_FILE, "line 2: a zero byte");
    assert_refused(UR_CLASSIFIED, &words, "a\tb\0\n", 5, UR_BAD_FILE, "line 1: a zero byte");
}

static void test_options(void **state)
{
    (void)state;
    static const char text[] = "a\tb\n";
    ur_text_options o = {.tokenizer = UR_CHARACTERS};
    assert_refused(UR_TAGGED, &o, text, 4, UR_INVALID, "cut already");
    o = (ur_text_options){.tokenizer = UR_WORDS, .letters_only = true};
    assert_refused(UR_TAGGED, &o, text, 4, UR_INVALID, "cut already");
    o = (ur_text_options){.tokenizer = UR_WORDS, .line_ends = true};
    assert_refused(UR_TAGGED, &o, text, 4, UR_INVALID, "no line ends");
    assert_refused(UR_CLASSIFIED, &o, text, 4, UR_INVALID, "no line ends");
    o = (ur_text_options){.tokenizer = (ur_tokenizer)9};
    assert_refused(UR_CLASSIFIED, &o, text, 4, UR_INVALID, "tokenizer");
    assert_refused((ur_labelled_kind)5, &words, text, 4, UR_INVALID, "kind of labels");
}

static void test_long(void **state)
{
    (void)state;
    size_t size = 4 * (UR_LABELLED_LONGEST + 2);
    char *text = malloc(size + 1);
    assert_non_null(text);
    for (size_t i = 0; i < size; i += 4)
        memcpy(text + i, "a X\n", 4);
    assert_refused(UR_TAGGED, &words, text, size, UR_BAD_FILE,
                   "line 65537: a sentence of more than 65536 tokens");
    ur_labelled *d;
    learned l = {NULL, NULL, NULL};
    size_t most = 4 * (size_t)UR_LABELLED_LONGEST;
    text[most] = '\n'; /* a sentence of the longest, and another */
    assert_int_equal(ur_labelled_learn_bytes(NULL, "t", text, most + 1, UR_TAGGED, &words, NULL,
                                             NULL, &d, &l.tokens, &l.labels, NULL),
                     UR_OK);
    assert_int_equal(ur_labelled_count(d), 1);
    ur_labelled_free(d);
    forget(&l);
    memset(text, 'y', size);
    memcpy(text, "X\t", 2);
    assert_refused(UR_CLASSIFIED, &words, text, 2 + UR_TOKEN_LONGEST + 1, UR_BAD_FILE,
                   "line 1: a word of more than 4096 bytes");
    ur_text_options characters = {.tokenizer = UR_CHARACTERS};
    assert_refused(UR_CLASSIFIED, &characters, text, 2 + UR_LABELLED_LONGEST + 1, UR_BAD_FILE,
                   "line 1: a text of more than 65536 tokens");
    memset(text, 'y', size);
    text[UR_TOKEN_LONGEST + 1] = '\t';
    assert_refused(UR_CLASSIFIED, &characters, text, UR_TOKEN_LONGEST + 4, UR_BAD_FILE,
                   "line 1: a label of 4097 bytes, 4096 are allowed");
    free(text);
}

static void test_fingerprints(void **state)
{
    (void)state;
    /* the same tokens with other labels, cut in another place, and another token */
    static const char *const texts[] = {"a X\nb Y\n\na X\n", "a X\nb X\n\na Y\n",
                                        "a X\n\nb Y\na X\n", "a X\nb Y\n\nb X\n"};
    uint64_t seen[4];
    for (size_t i = 0; i < 4; i++) {
        learned l = learn(texts[i], UR_TAGGED, &words, NULL), again;
        again = learn(texts[i], UR_TAGGED, &words, NULL);
        seen[i] = ur_labelled_fingerprint(l.data);
        assert_true(seen[i] == ur_labelled_fingerprint(again.data));
        for (size_t j = 0; j < i; j++)
            assert_true(seen[i] != seen[j]);
        forget(&l);
        forget(&again);
    }
}

static void test_files(void **state)
{
    (void)state;
    learned l;
    ur_labelled *again;
    ur_err err;
    assert_int_equal(ur_labelled_learn(NULL, "none.txt", UR_TAGGED, &words, NULL, NULL, &l.data,
                                       &l.tokens, &l.labels, &err),
                     UR_BAD_FILE);
    assert_true(!l.data && !l.tokens && !l.labels && strstr(err.text, "none.txt"));
    put_file("data.txt", "good\ta b\nbad\tc\n");
    assert_int_equal(ur_labelled_learn(NULL, "data.txt", UR_CLASSIFIED, &words, NULL, NULL, &l.data,
                                       &l.tokens, &l.labels, &err),
                     UR_OK);
    assert_data(l.data, "1 2/0|3/1");
    /* both vocabularies survive their files */
    ur_vocabulary *tokens, *labels;
    assert_int_equal(ur_vocabulary_save(l.tokens, "tokens.txt", &err), UR_OK);
    assert_int_equal(ur_vocabulary_save(l.labels, "labels.txt", &err), UR_OK);
    assert_int_equal(ur_vocabulary_load(NULL, "tokens.txt", &tokens, &err), UR_OK);
    assert_int_equal(ur_vocabulary_load(NULL, "labels.txt", &labels, &err), UR_OK);
    assert_int_equal(ur_labelled_open(NULL, "data.txt", UR_CLASSIFIED, &words, NULL, tokens, labels,
                                      &again, &err),
                     UR_OK);
    assert_true(ur_labelled_fingerprint(again) == ur_labelled_fingerprint(l.data));
    ur_labelled_free(again);
    ur_vocabulary_free(tokens);
    ur_vocabulary_free(labels);
    forget(&l);
}

static ur_status learn_and_open(const ur_allocator *a, ur_err *err, void *arg)
{
    ur_labelled_kind kind = *(const ur_labelled_kind *)arg;
    char text[1024], *at = text;
    for (int i = 0; i < 40; i++)
        at += kind == UR_TAGGED ? sprintf(at, "t%d label%d\n%s", i, i % 11, i % 4 ? "" : "\n")
                                : sprintf(at, "label%d\tt%d u%d\n", i % 11, i, i);
    learned l;
    ur_labelled *again = NULL;
    ur_status status = ur_labelled_learn_bytes(a, "t", text, strlen(text), kind, &words, NULL, NULL,
                                               &l.data, &l.tokens, &l.labels, err);
    if (status == UR_OK)
        status = ur_labelled_open_bytes(a, "t", text, strlen(text), kind, &words, NULL, l.tokens,
                                        l.labels, &again, err);
    else
        assert_true(!l.data && !l.tokens && !l.labels);
    ur_labelled_free(again);
    forget(&l);
    return status;
}

static void test_failing_allocations(void **state)
{
    (void)state;
    ur_labelled_kind kind = UR_TAGGED;
    assert_true(failing_alloc_sweep(learn_and_open, &kind) >= 40);
    kind = UR_CLASSIFIED;
    assert_true(failing_alloc_sweep(learn_and_open, &kind) >= 40);
}

/* ---- files as people have them ------------------------------------------------------------- */

static learned read_named(const char *name, const char *text, ur_labelled_kind kind,
                          const ur_reading *reading)
{
    learned l;
    ur_err err = {UR_OK, ""};
    if (ur_labelled_learn_bytes(NULL, name, text, strlen(text), kind, &words, reading, NULL,
                                &l.data, &l.tokens, &l.labels, &err) != UR_OK)
        fail_msg("%s", err.text);
    return l;
}

static void assert_refused_named(const char *name, const char *text, ur_labelled_kind kind,
                                 const ur_reading *reading, const char *says)
{
    learned l;
    ur_err err = {UR_OK, ""};
    const ur_status status =
        ur_labelled_learn_bytes(NULL, name, text, strlen(text), kind, &words, reading, NULL,
                                &l.data, &l.tokens, &l.labels, &err);
    if (status == UR_OK || l.data || !strstr(err.text, says))
        fail_msg("expected \"%s\", got %s: %s", says, ur_status_name(status), err.text);
}

static const char conllu[] = "# sent_id = 1\n# text = Ada's here.\n"
                             "1-2\tAda's\t_\t_\t_\t_\t_\t_\t_\t_\n"
                             "1\tAda\tAda\tPROPN\tNNP\t_\t3\tnsubj\t_\t_\n"
                             "2\t's\tbe\tAUX\tVBZ\t_\t3\tcop\t_\t_\n"
                             "2.1\tgone\tgo\tVERB\tVBN\t_\t_\t_\t_\t_\n"
                             "3\there\there\tADV\tRB\t_\t0\troot\t_\t_\n\n"
                             "# sent_id = 2\n"
                             "1\t#\t#\tSYM\tSYM\t_\t0\troot\t_\t_\n\n";

static void test_conllu(void **state)
{
    (void)state;
    learned l = read_named("ud.conllu", conllu, UR_TAGGED, NULL);
    assert_vocabulary(l.tokens, "<unk>|Ada|'s|here|#");
    assert_vocabulary(l.labels, "PROPN|AUX|ADV|SYM");
    assert_data(l.data, "1 2 3/0 1 2|4/3");
    assert_remark(l.data, "ud.conllu: read as CoNLL-U, columns FORM and UPOS");
    forget(&l);
    l = read_named("x", conllu, UR_TAGGED,
                   &(ur_reading){.input_column = "lemma", .target_column = "5"});
    assert_vocabulary(l.tokens, "<unk>|Ada|be|here|#");
    assert_vocabulary(l.labels, "NNP|VBZ|RB|SYM");
    forget(&l);
    assert_refused_named(
        "x", conllu, UR_TAGGED, &(ur_reading){.target_column = "pos"},
        "no column is called \"pos\" (--label-column); there is: \"ID\", \"FORM\"");
    /* of another file # is a token */
    l = read_named("x", "# X\na Y\n", UR_TAGGED, NULL);
    assert_vocabulary(l.tokens, "<unk>|#|a");
    forget(&l);
}

static void test_columns(void **state)
{
    (void)state;
    static const char conll[] = "-DOCSTART- -X- -X- O\n\nAda NNP I-NP B-PER\nsat VBD I-VP O\n"
                                "-DOCSTART- -X- O O\nBob NNP I-NP B-PER\n";
    learned l = read_named("c", conll, UR_TAGGED, NULL);
    assert_vocabulary(l.tokens, "<unk>|Ada|sat|Bob");
    assert_vocabulary(l.labels, "B-PER|O");
    assert_data(l.data, "1 2/0 1|3/0");
    assert_remark(l.data, "c: 2 lines of -DOCSTART- are borders");
    assert_remark(l.data, "c: of 4 columns, 1 is the token and 4 the label");
    forget(&l);
    l = read_named("c", conll, UR_TAGGED, &(ur_reading){.target_column = "2"});
    assert_vocabulary(l.labels, "NNP|VBD");
    forget(&l);
    l = read_named("c", "tag word\n\nN Ada\nV sat\n", UR_TAGGED,
                   &(ur_reading){.input_column = "word", .target_column = "TAG"});
    assert_vocabulary(l.tokens, "<unk>|Ada|sat");
    assert_vocabulary(l.labels, "N|V");
    forget(&l);
    assert_refused_named("c", conll, UR_TAGGED, &(ur_reading){.input_column = "7"},
                         "c: line 1: there is no column 7 (--token-column): the line has 4");
    /* tabs cut alone: what else looks like a space belongs to the token */
    l = read_named("c",
                   "New York\tLOC\n10\xC2\xA0"
                   "000\tNUM\n",
                   UR_TAGGED, NULL);
    assert_vocabulary(l.tokens, "<unk>|New York|10\xC2\xA0"
                                "000");
    assert_remark(l.data,
                  "c: 1 tokens have spaces in them, at which a sentence to label will be cut");
    forget(&l);
    /* the first line with another number of columns is named */
    assert_refused_named("r", "a N B\nb V O\nc N\n\nd N B\ne V\n", UR_TAGGED, NULL,
                         "r: line 3: 2 columns, line 1 has 3");
    assert_refused_named("r", "a\tN\nb\tV\nc\n", UR_TAGGED, NULL, "r: line 3: one column");
}

static void test_values(void **state)
{
    (void)state;
    static const char csv[] = "id,Label,Text\r\n1,good,\"warm, \"\"lovely\"\" and\r\nlong\"\r\n"
                              "2,\"bad\",cold\r\n\r\n3,good,\"x\"\r\n";
    learned l = read_named("a.CSV", csv, UR_CLASSIFIED, NULL);
    assert_vocabulary(l.labels, "good|bad");
    assert_vocabulary(l.tokens, "<unk>|warm,|\"lovely\"|and|long|cold|x");
    assert_data(l.data, "1 2 3 4/0|5/1|6/0");
    assert_remark(l.data, "a.CSV: columns \"Text\" and \"Label\" are read");
    assert_remark(l.data, "a.CSV: 1 blank line is passed over");
    forget(&l);
    l = read_named("a.txt", csv, UR_CLASSIFIED,
                   &(ur_reading){.input_column = "text", .target_column = "id"});
    assert_vocabulary(l.labels, "1|2|3");
    assert_remark(l.data,
                  "a.txt: warning: every text has a label of its own: are the columns swapped?");
    forget(&l);
    l = read_named("a.tsv", "sentence\tlabel\nso \"good\"\t1\n\"a\tb\"\t0\n\"quoted\" once\t1\n",
                   UR_CLASSIFIED, NULL);
    assert_vocabulary(l.labels, "1|0");
    assert_vocabulary(l.tokens, "<unk>|so|\"good\"|a|b|\"quoted\"|once");
    forget(&l);
    l = read_named("a.tsv", "good\tfilm\nbad\tfilm of\n", UR_CLASSIFIED, NULL); /* no names */
    assert_vocabulary(l.labels, "good|bad");
    forget(&l);
    l = read_named("a", "film,good\nwar,bad\n", UR_CLASSIFIED,
                   &(ur_reading){.input_column = "1", .target_column = "2"});
    assert_data(l.data, "1/0|2/1");
    forget(&l);
    assert_refused_named(
        "a.csv", "x,y\n1,2\n", UR_CLASSIFIED, NULL,
        "a.csv: which columns are meant? Line 1 has \"x\", \"y\": say --text-column "
        "and --label-column");
    assert_refused_named("a.csv", "text,label\nb,\"2\nc,3\n", UR_CLASSIFIED, NULL,
                         "a.csv: line 2: a quote that opens here is never closed");
    assert_refused_named("a.csv", "text,label\nb,\"2\"c\n", UR_CLASSIFIED, NULL,
                         "a.csv: line 2: text behind a closing quote");
    assert_refused_named("a.csv", "text,label\na,b\nb,2,3\n", UR_CLASSIFIED, NULL,
                         "a.csv: line 3: 3 columns, line 1 has 2");
    assert_refused_named("a.csv", "text,label\n", UR_CLASSIFIED,
                         &(ur_reading){.input_column = "text"},
                         "--text-column goes with --label-column");
}

static void test_labels_that_teach_nothing(void **state)
{
    (void)state;
    learned l = read_named("s",
                           "a film to remember\tgood\ndull and cold\tbad\nwarm\tgood\n"
                           "warm\tgood\n",
                           UR_CLASSIFIED, NULL);
    assert_remark(l.data, "s: warning: 3 different labels for 2 different texts: are the columns "
                          "swapped?");
    forget(&l);
    l = read_named("o", "good\ta\ngood\tb\n", UR_CLASSIFIED, NULL);
    assert_remark(l.data, "o: warning: every text has the same label: nothing can be learned");
    forget(&l);
    l = read_named("t", "O Ada\nO sat\nX at\n", UR_TAGGED, NULL);
    assert_remark(l.data,
                  "t: warning: every token has a label of its own: are the columns swapped?");
    forget(&l);
    l = read_named("n", "good\ta b\nbad\tc\n", UR_CLASSIFIED, NULL);
    assert_null(ur_labelled_remark(l.data, 0));
    forget(&l);
}

static void test_max_length(void **state)
{
    (void)state;
    static const char text[] = "a X\nb Y\nc Z\n\na X\nb Y\n";
    learned l = read_named("m", text, UR_TAGGED, &(ur_reading){.max_length = 2});
    assert_data(l.data, "1 2/0 1|1 2/0 1");
    assert_vocabulary(l.labels, "X|Y");
    assert_remark(l.data, "m: 1 sentences were cut to 2 tokens");
    forget(&l);
    l = read_named("m", text, UR_TAGGED, &(ur_reading){.max_length = 2, .skip = true});
    assert_data(l.data, "1 2/0 1");
    assert_remark(l.data, "m: 1 sentences of more than 2 tokens are left out");
    forget(&l);
    const size_t size = 2 + 2 * 70000;
    char *longest = malloc(size + 1);
    assert_non_null(longest);
    memcpy(longest, "X\t", 2);
    for (size_t i = 2; i < size; i += 2)
        memcpy(longest + i, i % 4 ? "a " : "b ", 2);
    longest[size] = '\0';
    assert_refused_named("m", longest, UR_CLASSIFIED, NULL,
                         "m: line 1: a text of more than 65536 tokens (--max-length cuts)");
    l = read_named("m", longest, UR_CLASSIFIED, &(ur_reading){.max_length = 65536});
    assert_int_equal(ur_labelled_all_tokens(l.data), 65536);
    assert_remark(l.data, "m: 1 texts were cut to 65536 tokens");
    forget(&l);
    free(longest);
}

static void test_unicode(void **state)
{
    (void)state;
    ur_text_options o = {.tokenizer = UR_WORDS, .unicode = UR_UNICODE_NFC};
    learned l = learn("e\xCC\x81 X\n\xC3\xA9 Y\nb X\n", UR_TAGGED, &o, NULL);
    assert_vocabulary(l.tokens, "<unk>|\xC3\xA9|b");
    forget(&l);
    o.unicode = UR_UNICODE_NFKC;
    l = learn("X\t\xEF\xAC\x81t \xC2\xB4\xE3\x80\x80u\nY\tfit\n", UR_CLASSIFIED, &o, NULL);
    assert_vocabulary(l.tokens, "<unk>|fit|\xCC\x81|u"); /* U+00B4 is a space and U+0301 */
    forget(&l);
}

static void test_bytes(void **state)
{
    (void)state;
    learned l = read_named("r", "a X\rb Y\r\rc X", UR_TAGGED, NULL); /* CRs end lines */
    assert_data(l.data, "1 2/0 1|3/0");
    forget(&l);
    l = read_named("j", "X\ta\n\xEF\xBB\xBFY\tb\n", UR_CLASSIFIED, NULL);
    assert_vocabulary(l.labels, "X|\xEF\xBB\xBFY");
    assert_remark(l.data,
                  "j: line 2 begins with a byte order mark (U+FEFF), which is read as a character "
                  "there; were files joined?");
    forget(&l);
    static const struct {
        const char *text;
        size_t size;
        const char *says;
    } foreign[] = {
        {"\xFF\xFE"
         "a\0\t\0",
         6, "this file is UTF-16, and UTF-8 is expected; iconv -f UTF-16 -t"},
        {"\xFE\xFF\0a", 4, "this file is UTF-16, "},
        {"a\0\t\0b\0", 6, "this file is UTF-16LE, "},
        {"\0a\0\t\0b", 6, "this file is UTF-16BE, "},
        {"\xFF\xFE\0\0", 4, "this file is UTF-32, "},
        {"X\tcaf\xE9\n", 7,
         "line 1: byte 0xe9 is not valid UTF-8; if this is Latin-1, iconv -f ISO-8859-1"},
        {"X\t\x93"
         "caf\xE9\n",
         8, "if this is Windows-1252, iconv -f WINDOWS-1252 -t UTF-8"},
        {"X\t\xC3\xA9\xE9\n", 6, "line 1: byte 0xe9 is not valid UTF-8"},
        {"X\ta\nY\tb\0\n", 9, "line 2: a zero byte: this is not a text file"},
    };
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        assert_refused(UR_CLASSIFIED, &words, foreign[i].text, foreign[i].size, UR_BAD_FILE,
                       foreign[i].says);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tagged),
        cmocka_unit_test(test_classified),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_fingerprints),
        cmocka_unit_test_setup_teardown(test_files, test_folder_enter, test_folder_leave),
        cmocka_unit_test(test_failing_allocations),
        cmocka_unit_test(test_conllu),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_labels_that_teach_nothing),
        cmocka_unit_test(test_max_length),
        cmocka_unit_test(test_unicode),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
