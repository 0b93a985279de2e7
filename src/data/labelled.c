/* labelled.c - texts with labels, from the bytes of a file to ids. The file is read once; to learn,
 * token ids by first appearance are replaced by those of the vocabulary chosen in the end. */
#include "data/labelled.h"
#include "data/table.h"
#include "data/tally.h"
#include "text/lines.h"
#include "text/normalise.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"
#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What is known of columns before a file is read. */
#define TEXT_NAMES "text", "sentence", "content", "message", "review"
static const char *const text_names[] = {TEXT_NAMES, NULL};
static const char *const label_names[] = {"label",  "labels",     "class",     "category",
                                          "target", "gold_label", "sentiment", NULL};
/* And of those that have pairs: the two in the same place go together. */
#define PAIR_NAMES "sentence1", "premise", "text_a", "text1", "question1"
static const char *const first_names[] = {PAIR_NAMES, "text", "question", NULL};
static const char *const second_names[] = {"sentence2", "hypothesis", "text_b",   "text2",
                                           "question2", "text_pair",  "sentence", NULL};
static const char *const second_option = "--pair-column";
static const ur_two_columns two = {{"--text-column", "--label-column"}, {text_names, label_names}};
static const char *const token_option = "--token-column", *const label_option = "--label-column";

/* CoNLL-U's columns (universaldependencies.org/format.html). */
static const char *const conllu_names[] = {"ID",    "FORM", "LEMMA",  "UPOS", "XPOS",
                                           "FEATS", "HEAD", "DEPREL", "DEPS", "MISC"};
enum { CONLLU_COLUMNS = 10, CONLLU_FORM = 1, CONLLU_UPOS = 3 };

typedef struct reader {
    ur_table table;
    ur_scanner scanner;
    ur_normaliser normal;
    const ur_reading *reading; /* never NULL */
    ur_labelled *d;
    size_t offsets, tokens, labels, label_offsets; /* capacities */
    size_t n_labels;                               /* of pieces with a label each: so far */
    ur_tally *tally;                               /* to learn, or else */
    const ur_vocabulary *known;                    /* the tokens that there are, */
    int32_t unknown;                               /* with the id of <unk>, or UR_UNKNOWN */
    ur_vocabulary *new_labels;                     /* to learn, or NULL */
    const ur_vocabulary *all_labels;
    const ur_piecing *piecing; /* texts as pieces; NULL: as tokens */
    ur_pieces pieces;
    bool pairs; /* a text is two */
    bool values, conllu;
    size_t place[3]; /* columns of input, label and second text */
    size_t most;     /* tokens of a sequence; 0: nobody said */
    /* of the sequence that is being read */
    size_t behind; /* tokens behind `most` */
    bool lacking;  /* it has a token or label that is UR_UNKNOWN */
    /* counted for remarks */
    size_t borders, blank, spaced, cut, longer, unusable, strange_line;
    char strange[UR_QUOTED]; /* the first unknown label */
    ur_err *err;
} reader;

static ur_status bad(const reader *r, const char *what)
{
    return ur_fail(r->err, UR_BAD_FILE, "%s: line %zu: %s", r->table.lines.name, r->table.line,
                   what);
}

/* ---- storing ------------------------------------------------------------------------------ */

static size_t length_so_far(const reader *r)
{
    return r->d->all - r->d->offset[r->d->count];
}

/* *kept false: the sequence has as many tokens as it may have. */
static ur_status store_token(reader *r, ur_scan scanned, const ur_token *token, bool *kept)
{
    ur_labelled *d = r->d;
    int32_t id = UR_UNKNOWN;
    ur_status status = UR_OK;
    *kept = true;
    if (scanned == UR_SCAN_TOO_LONG)
        return ur_token_too_long(r->err, r->table.lines.name, r->table.line);
    if (r->most && length_so_far(r) == r->most) {
        *kept = false;
        r->behind++;
        return UR_OK;
    }
    if (length_so_far(r) == UR_LABELLED_LONGEST)
        return ur_fail(r->err, UR_BAD_FILE,
                       "%s: line %zu: a %s of more than %d tokens (--max-length cuts)",
                       r->table.lines.name, r->table.line,
                       d->kind == UR_TAGGED ? "sentence" : "text", UR_LABELLED_LONGEST);
    if (r->tally)
        status = ur_tally_add(r->tally, token, &id, r->err);
    else if ((id = ur_token_id(r->known, token, r->unknown)) < 0)
        r->lacking = true;
    if (status != UR_OK)
        return status;
    if (!ur_reserve(d->a, &d->tokens, &r->tokens, d->all, d->all + 1, sizeof *d->tokens))
        return ur_no_memory(r->err, (d->all + 1) * sizeof *d->tokens);
    d->tokens[d->all++] = id;
    return UR_OK;
}

/* The label of token, or sequence, number `at`. */
static ur_status store_label(reader *r, size_t at, ur_span label)
{
    ur_labelled *d = r->d;
    if (label.size == 0)
        return bad(r, "the label is empty");
    if (label.size > UR_TOKEN_LONGEST)
        return ur_fail(r->err, UR_BAD_FILE, "%s: line %zu: a label of %zu bytes, %d are allowed",
                       r->table.lines.name, r->table.line, label.size, UR_TOKEN_LONGEST);
    int32_t id = ur_vocabulary_find(r->all_labels, label.bytes, label.size);
    if (id < 0 && r->new_labels) {
        ur_status status = ur_vocabulary_add(r->new_labels, label.bytes, label.size, &id, r->err);
        if (status != UR_OK)
            return status;
    }
    if (id < 0) {
        id = UR_UNKNOWN;
        r->lacking = true;
        if (!r->strange_line) {
            ur_quote(label.bytes, label.size, r->strange);
            r->strange_line = r->table.line;
        }
    }
    if (!ur_reserve(d->a, &d->labels, &r->labels, at, at + 1, sizeof *d->labels))
        return ur_no_memory(r->err, (at + 1) * sizeof *d->labels);
    d->labels[at] = id;
    return UR_OK;
}

static ur_status store_piece(reader *r, int32_t token)
{
    ur_labelled *d = r->d;
    if (!ur_reserve(d->a, &d->tokens, &r->tokens, d->all, d->all + 1, sizeof *d->tokens))
        return ur_no_memory(r->err, (d->all + 1) * sizeof *d->tokens);
    d->tokens[d->all++] = token;
    return UR_OK;
}

/* What follows the last of words as pieces, and where their labels end. */
static ur_status end_words(reader *r)
{
    ur_labelled *d = r->d;
    const ur_status status = store_piece(r, ur_wordpiece_special(r->piecing->wordpiece, UR_SEP));
    if (status == UR_OK && !ur_reserve(d->a, &d->label_offset, &r->label_offsets, d->count + 1,
                                       d->count + 2, sizeof *d->label_offset))
        return ur_no_memory(r->err, (d->count + 2) * sizeof *d->label_offset);
    d->label_offset[d->count + 1] = r->n_labels;
    return status;
}

/* Closes the sequence that was read, or forgets it. */
static ur_status end_sequence(reader *r)
{
    ur_labelled *d = r->d;
    const bool words = r->piecing && d->kind == UR_TAGGED;
    const bool skip = r->reading->skip, longer = r->behind > 0, lacking = r->lacking;
    r->behind = 0;
    r->lacking = false;
    if (skip && (longer || lacking)) {
        r->longer += longer;
        r->unusable += lacking && !longer;
        d->all = d->offset[d->count];
        if (words)
            r->n_labels = d->label_offset[d->count];
        return UR_OK;
    }
    if (words) {
        const ur_status status = end_words(r);
        if (status != UR_OK)
            return status;
    }
    r->cut += longer;
    if (!ur_reserve(d->a, &d->offset, &r->offsets, d->count + 1, d->count + 2, sizeof *d->offset))
        return ur_no_memory(r->err, (d->count + 2) * sizeof *d->offset);
    d->offset[++d->count] = d->all;
    return UR_OK;
}

/* ---- tokens with a label each --------------------------------------------------------------- */

/* Whether the field is a whole number. */
static bool is_number(ur_span s)
{
    for (size_t i = 0; i < s.size; i++)
        if (s.bytes[i] < '0' || s.bytes[i] > '9')
            return false;
    return s.size > 0;
}

/* Ranges of tokens, 1-2, and empty nodes, 1.1. */
static bool is_extra_node(ur_span s)
{
    size_t i = 0;
    while (i < s.size && s.bytes[i] >= '0' && s.bytes[i] <= '9')
        i++;
    return i > 0 && i < s.size && (s.bytes[i] == '-' || s.bytes[i] == '.');
}

/* Whether the first line that is no comment is one of CoNLL-U; nothing is read. */
static bool looks_like_conllu(const reader *r)
{
    ur_lines l = r->table.lines;
    l.err = NULL;
    while (l.size > 0) {
        ur_line line;
        size_t tabs = 0;
        if (ur_lines_next(&l, &line) != UR_OK)
            return false;
        if (line.size == 0 || line.bytes[0] == '#')
            continue;
        const char *tab = memchr(line.bytes, '\t', line.size);
        const ur_span id = {line.bytes, tab ? (size_t)(tab - line.bytes) : 0};
        for (size_t i = 0; i < line.size; i++)
            tabs += line.bytes[i] == '\t';
        return tabs == CONLLU_COLUMNS - 1 && (is_number(id) || is_extra_node(id));
    }
    return false;
}

/* The column of that name or number in CoNLL-U; `standard` where nobody says. */
static ur_status conllu_column(const reader *r, const char *column, const char *option,
                               size_t standard, size_t *place)
{
    ur_table names = {.lines = r->table.lines, .line = 1, .fields = CONLLU_COLUMNS};
    *place = standard;
    if (!ur_column_named(column))
        return UR_OK;
    for (size_t i = 0; i < CONLLU_COLUMNS; i++)
        names.field[i] = (ur_span){conllu_names[i], strlen(conllu_names[i])};
    return ur_table_column(&names, column, option, place);
}

static ur_status start_conllu(reader *r)
{
    const ur_reading *o = r->reading;
    r->table.cut = UR_CUT_TABS;
    ur_status status = conllu_column(r, o->input_column, token_option, CONLLU_FORM, &r->place[0]);
    if (status == UR_OK)
        status = conllu_column(r, o->target_column, label_option, CONLLU_UPOS, &r->place[1]);
    if (status != UR_OK)
        return status;
    return ur_remark(&r->d->remarks, r->err, "%s: read as CoNLL-U, columns %s and %s",
                     r->table.lines.name, conllu_names[r->place[0]], conllu_names[r->place[1]]);
}

/* Columns of the first row, which has names, or is read again as data. */
static ur_status start_columns(reader *r)
{
    const char *token = r->reading->input_column, *label = r->reading->target_column;
    const bool names = (ur_column_named(token) && !ur_column_numbered(token)) ||
                       (ur_column_named(label) && !ur_column_numbered(label));
    const ur_lines begin = r->table.lines;
    ur_table *t = &r->table;
    ur_status status = UR_OK;
    do
        status = ur_table_next(t);
    while (status == UR_OK && ur_table_blank(t) && ur_table_more(t));
    if (status == UR_OK && ur_table_blank(t)) {
        t->lines = begin;
        return UR_OK; /* which is said as of any file without a sequence */
    }
    if (status == UR_OK && t->fields < 2)
        return bad(r, "one column where a token and its label were expected");
    r->place[0] = 0;
    r->place[1] = t->fields - 1;
    if (status == UR_OK && ur_column_named(token))
        status = ur_table_column(t, token, token_option, &r->place[0]);
    if (status == UR_OK && ur_column_named(label))
        status = ur_table_column(t, label, label_option, &r->place[1]);
    if (status == UR_OK && names)
        status = ur_table_even(t);
    if (status != UR_OK)
        return status;
    if (r->place[0] >= UR_TABLE_COLUMNS || r->place[1] >= UR_TABLE_COLUMNS)
        return bad(r, "too many columns");
    status =
        ur_remark(&r->d->remarks, r->err, "%s: of %zu columns, %zu is the token and %zu the label",
                  t->lines.name, t->fields, r->place[0] + 1, r->place[1] + 1);
    if (!names)
        t->lines = begin;
    return status;
}

static bool is_border(ur_span first)
{
    static const char border[] = "-DOCSTART-";
    return first.size == sizeof border - 1 && memcmp(first.bytes, border, first.size) == 0;
}

static bool has_space(ur_span s)
{
    return memchr(s.bytes, ' ', s.size) != NULL;
}

/* The pieces of a word, of which the first has its label; what the model has no room for is counted. */
static ur_status read_word(reader *r, ur_span text)
{
    const size_t room = r->piecing->longest - 1; /* before [SEP] */
    ur_status status = UR_OK;
    if (length_so_far(r) == 0)
        status = store_piece(r, ur_wordpiece_special(r->piecing->wordpiece, UR_CLS));
    if (status == UR_OK)
        status = ur_piecing_word(r->piecing, text.bytes, text.size, &r->pieces, r->err);
    const bool begins = length_so_far(r) < room;
    for (size_t i = 1; status == UR_OK && i + 1 < r->pieces.count; i++) {
        if (length_so_far(r) < room)
            status = store_piece(r, r->pieces.piece[i].id | (i == 1 ? UR_PIECE_WORD : 0));
        else
            r->behind++;
    }
    if (status != UR_OK || !begins)
        return status;
    return store_label(r, r->n_labels++, ur_span_strip(r->table.field[r->place[1]]));
}

static ur_status read_token(reader *r)
{
    const ur_table *t = &r->table;
    ur_span text = ur_span_strip(t->field[r->place[0]]);
    ur_token token;
    bool kept;
    if (text.size == 0)
        return bad(r, "the token is empty");
    r->spaced += has_space(text);
    if (r->piecing)
        return read_word(r, text);
    ur_status status = ur_normalise(&r->normal, &text.bytes, &text.size, r->err);
    if (status != UR_OK)
        return status;
    const ur_scan scanned = ur_scanner_word(&r->scanner, text.bytes, text.size, &token);
    status = store_token(r, scanned, &token, &kept);
    if (status != UR_OK || !kept)
        return status;
    return store_label(r, r->d->all - 1, ur_span_strip(t->field[r->place[1]]));
}

/* token ... label */
static ur_status read_tagged(reader *r)
{
    ur_table *t = &r->table;
    const bool begun = length_so_far(r) > 0;
    if (ur_table_blank(t))
        return begun ? end_sequence(r) : UR_OK;
    if (r->conllu && t->row.bytes[0] == '#')
        return UR_OK;
    if (t->fields < 2)
        return bad(r, "one column where a token and its label were expected");
    ur_status status = ur_table_even(t);
    if (status != UR_OK || (r->conllu && is_extra_node(t->field[0])))
        return status;
    if (!is_border(t->field[0]))
        return read_token(r);
    r->borders++;
    return begun ? end_sequence(r) : UR_OK;
}

/* ---- texts with one label ------------------------------------------------------------------- */

/* label, tab, text; or two of the row's values. The second text of pairs is cut off later, or a value. */
static ur_status cut_classified(reader *r, ur_span *label, ur_span *text)
{
    ur_table *t = &r->table;
    if (r->values) {
        const ur_status status = ur_table_even(t);
        if (status == UR_OK) {
            *text = t->field[r->place[0]];
            *label = t->field[r->place[1]];
        }
        return status;
    }
    const char *line = t->row.bytes, *end = line + t->row.size;
    const char *tab = memchr(line, '\t', t->row.size);
    if (!tab)
        return bad(r, "no tab between a label and a text");
    *label = (ur_span){line, (size_t)(tab - line)};
    *text = (ur_span){tab + 1, (size_t)(end - tab - 1)};
    return UR_OK;
}

/* A text, or two, as pieces. */
static ur_status read_pieces(reader *r, ur_span text)
{
    const ur_piecing *how = r->piecing;
    ur_err why;
    const ur_span second = r->table.field[r->place[2]];
    ur_status status =
        r->pairs && r->values
            ? ur_wordpiece_encode(how->wordpiece, text.bytes, text.size, second.bytes, second.size,
                                  how->longest, how->cutting, &r->pieces, &why)
            : ur_piecing_text(how, text.bytes, text.size, &r->pieces, &why);
    if (status == UR_NO_MEMORY)
        return ur_fail(r->err, status, "%s", why.text);
    if (status != UR_OK)
        return bad(r, why.text);
    for (size_t i = 0; status == UR_OK && i < r->pieces.count; i++)
        status = store_piece(r, ur_piece_token(&r->pieces.piece[i]));
    r->behind = r->pieces.cut;
    return status == UR_OK ? end_sequence(r) : status;
}

static ur_status read_classified(reader *r)
{
    ur_span label, text;
    if (ur_table_blank(&r->table) && !memchr(r->table.row.bytes, '\t', r->table.row.size)) {
        r->blank++;
        return UR_OK;
    }
    ur_status status = cut_classified(r, &label, &text);
    if (status == UR_OK)
        status = store_label(r, r->d->count, ur_span_strip(label));
    if (status == UR_OK && r->piecing)
        return read_pieces(r, text);
    if (status == UR_OK)
        status = ur_normalise(&r->normal, &text.bytes, &text.size, r->err);
    if (status != UR_OK)
        return status;
    ur_scanner_line(&r->scanner, text.bytes, text.size, false);
    while (status == UR_OK) {
        ur_token token;
        bool kept;
        const ur_scan scanned = ur_scanner_next(&r->scanner, &token);
        if (scanned == UR_SCAN_END)
            return length_so_far(r) ? end_sequence(r) : bad(r, "the text has no token");
        status = store_token(r, scanned, &token, &kept);
    }
    return status;
}

/* ---- whole files ---------------------------------------------------------------------------- */

static bool is_called(ur_span field, const char *name)
{
    field = ur_span_strip(field);
    return field.size == strlen(name) && strncasecmp(field.bytes, name, field.size) == 0;
}

/* The second text's column, where a line of names was read: the one that goes with the first one's. */
static ur_status find_second(reader *r)
{
    const ur_table *t = &r->table;
    char shown[UR_QUOTED];
    for (size_t i = 0; first_names[i]; i++)
        for (size_t c = 0; c < t->fields && is_called(t->field[r->place[0]], first_names[i]); c++)
            if (is_called(t->field[c], second_names[i])) {
                r->place[2] = c;
                r->pairs = true;
                return ur_remark(&r->d->remarks, r->err, "%s: and column %s for the second text",
                                 t->lines.name,
                                 ur_quote(t->field[c].bytes, t->field[c].size, shown));
            }
    return r->pairs ? ur_fail(r->err, UR_BAD_FILE,
                              "%s: which column has the second text of each pair? Say %s",
                              t->lines.name, second_option)
                    : UR_OK;
}

/* Columns of texts that may be pairs. */
static ur_status start_pieces(reader *r)
{
    static const char *const names[] = {TEXT_NAMES, PAIR_NAMES, "question", NULL};
    static const ur_two_columns columns = {{"--text-column", "--label-column"},
                                           {names, label_names}};
    const char *second = r->piecing->second_column;
    const bool said = ur_column_named(r->reading->input_column);
    ur_status status = ur_table_find_columns(&r->table, &columns, r->reading, &r->values, r->place,
                                             &r->d->remarks);
    r->pairs = r->piecing->pairs;
    if (status != UR_OK || (!r->values && !ur_column_named(second)))
        return status;
    if (!r->values)
        return ur_fail(r->err, UR_INVALID, "%s goes with --text-column and --label-column",
                       second_option);
    if (ur_column_named(second)) {
        r->pairs = true;
        return ur_table_column(&r->table, second, second_option, &r->place[2]);
    }
    return r->pairs || (r->piecing->detect && !said) ? find_second(r) : UR_OK;
}

static ur_status start_form(reader *r)
{
    if (!ur_table_more(&r->table))
        return UR_OK;
    if (r->d->kind == UR_CLASSIFIED && r->piecing)
        return start_pieces(r);
    if (r->d->kind == UR_CLASSIFIED)
        return ur_table_find_columns(&r->table, &two, r->reading, &r->values, r->place,
                                     &r->d->remarks);
    r->conllu = looks_like_conllu(r);
    r->table.cut = UR_CUT_BLANKS;
    return r->conllu ? start_conllu(r) : start_columns(r);
}

static ur_status remark_counts(const reader *r)
{
    ur_remarks *to = &r->d->remarks;
    const char *name = r->table.lines.name;
    const char *what = r->d->kind == UR_TAGGED ? "sentences" : "texts";
    ur_status status = ur_lines_remark(&r->table.lines, to);
    if (status == UR_OK && r->borders)
        status = ur_remark(to, r->err, "%s: %zu lines of -DOCSTART- are borders", name, r->borders);
    if (status == UR_OK && r->blank)
        status = ur_remark(to, r->err, "%s: %zu blank line%s passed over", name, r->blank,
                           r->blank == 1 ? " is" : "s are");
    if (status == UR_OK && r->spaced)
        status = ur_remark(to, r->err,
                           "%s: %zu tokens have spaces in them, at which a sentence to label will "
                           "be cut",
                           name, r->spaced);
    if (status == UR_OK && r->cut)
        status =
            ur_remark(to, r->err, "%s: %zu %s were cut to %zu tokens", name, r->cut, what, r->most);
    if (status == UR_OK && r->longer)
        status = ur_remark(to, r->err, "%s: %zu %s of more than %zu tokens are left out", name,
                           r->longer, what, r->most);
    if (status == UR_OK && r->unusable)
        status = ur_remark(to, r->err,
                           "%s: %zu %s are left out, which have tokens or labels that the model "
                           "does not know",
                           name, r->unusable, what);
    return status;
}

static ur_status read_rows(reader *r)
{
    ur_labelled *d = r->d;
    if (!ur_reserve(d->a, &d->offset, &r->offsets, 0, 1, sizeof *d->offset))
        return ur_no_memory(r->err, sizeof *d->offset);
    d->offset[0] = 0;
    if (r->piecing && d->kind == UR_TAGGED) {
        if (!ur_reserve(d->a, &d->label_offset, &r->label_offsets, 0, 1, sizeof *d->label_offset))
            return ur_no_memory(r->err, sizeof *d->label_offset);
        d->label_offset[0] = 0;
    }
    ur_status status = start_form(r);
    while (status == UR_OK && ur_table_more(&r->table)) {
        status = ur_table_next(&r->table);
        if (status == UR_OK)
            status = d->kind == UR_TAGGED ? read_tagged(r) : read_classified(r);
    }
    if (status == UR_OK && length_so_far(r))
        status = end_sequence(r);
    if (status == UR_OK && d->count == 0)
        status = r->longer + r->unusable > 0
                     ? ur_fail(r->err, UR_BAD_FILE, "%s: nothing is left that can be used",
                               r->table.lines.name)
                     : ur_fail(r->err, UR_BAD_FILE,
                               "%s: an empty file where %s with labels were expected",
                               r->table.lines.name, d->kind == UR_TAGGED ? "tokens" : "texts");
    return status == UR_OK ? remark_counts(r) : status;
}

/* From ids by first appearance to those of the vocabulary. */
static void replace_ids(ur_labelled *d, const int32_t *map)
{
    for (size_t i = 0; i < d->all; i++)
        d->tokens[i] = map[d->tokens[i]];
}

/* ---- whole texts --------------------------------------------------------------------------- */

static ur_status check_options(ur_labelled_kind kind, const ur_text_options *o,
                               const ur_vocabulary *tokens, ur_err *err)
{
    ur_status status = ur_text_check(o, tokens, err);
    if (status != UR_OK)
        return status;
    if (kind != UR_TAGGED && kind != UR_CLASSIFIED)
        return ur_fail(err, UR_INVALID, "there is no kind of labels number %d", (int)kind);
    if (kind == UR_TAGGED && (o->tokenizer != UR_WORDS || o->letters_only))
        return ur_fail(err, UR_INVALID,
                       "tokens with a label each are cut already: they are words, and not made of "
                       "letters only");
    if (o->line_ends)
        return ur_fail(err, UR_INVALID, "texts with labels have no line ends as tokens");
    return UR_OK;
}

/* Reads everything into a fresh data set, which is *out also after a failure. options: of tokens alone. */
static ur_status read_all(reader *r, const ur_allocator *a, const char *name, const char *bytes,
                          size_t size, ur_labelled_kind kind, const ur_text_options *options,
                          const ur_reading *reading, ur_labelled **out)
{
    static const ur_reading plain = {0};
    r->d = *out = ur_alloc_zero(a, 1, sizeof *r->d);
    if (!r->d)
        return ur_no_memory(r->err, sizeof *r->d);
    r->d->a = r->d->remarks.a = a;
    r->d->kind = kind;
    r->reading = reading ? reading : &plain;
    r->most = r->piecing ? r->piecing->longest : r->reading->max_length;
    r->pieces.allocator = a;
    if (options) {
        r->normal = (ur_normaliser){.a = a, .form = options->unicode};
        ur_scanner_start(&r->scanner, options, r->tally ? r->tally->seen : r->known);
    }
    ur_table_start(&r->table, a, name, bytes, size, r->err);
    const ur_status status = read_rows(r);
    ur_table_free(&r->table);
    ur_pieces_free(&r->pieces);
    ur_normaliser_free(&r->normal);
    return status;
}

/* ---- what the labels look like -------------------------------------------------------------- */

static int compare_hashes(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

/* How many different tokens (UR_CLASSIFIED: texts) there are; 0 of words as pieces, and without memory. */
static size_t different_inputs(const ur_labelled *d)
{
    const size_t n = ur_labels_before(d, d->count);
    uint64_t *hash = d->label_offset ? NULL : ur_alloc(d->a, n, sizeof *hash);
    size_t different = hash && n ? 1 : 0;
    for (size_t i = 0; hash && i < n; i++)
        hash[i] = d->kind == UR_TAGGED ? (uint32_t)d->tokens[i]
                                       : ur_ids_fingerprint(ur_labelled_tokens(d, i));
    if (hash && n)
        qsort(hash, n, sizeof *hash, compare_hashes);
    for (size_t i = 1; hash && i < n; i++)
        different += hash[i] != hash[i - 1];
    ur_free(d->a, hash);
    return different;
}

/* Warns of labels that teach nothing, or are no labels. To be asked before rare tokens become <unk>. */
static ur_status remark_labels(const reader *r)
{
    ur_labelled *d = r->d;
    const size_t labels = ur_vocabulary_size(r->all_labels),
                 answers = ur_labels_before(d, d->count);
    const char *name = r->table.lines.name;
    const char *what = d->kind == UR_TAGGED ? "token" : "text";
    if (labels == 1)
        return ur_remark(&d->remarks, r->err,
                         "%s: warning: every %s has the same label: nothing can be learned", name,
                         what);
    const size_t different = different_inputs(d);
    if (answers > 2 && labels == answers)
        return ur_remark(&d->remarks, r->err,
                         "%s: warning: every %s has a label of its own: are the columns swapped?",
                         name, what);
    if (different && labels > different)
        return ur_remark(&d->remarks, r->err,
                         "%s: warning: %zu different labels for %zu different %ss: are the columns "
                         "swapped?",
                         name, labels, different, what);
    return UR_OK;
}

/* What a model does not know of data that was opened for it. */
static ur_status remark_unknown(const reader *r)
{
    ur_labelled *d = r->d;
    const char *name = r->table.lines.name;
    ur_status status = UR_OK;
    if (d->unknown)
        status = ur_remark(&d->remarks, r->err,
                           "%s: %zu of %zu tokens are unknown to the model and read as %s", name,
                           d->unknown, d->all,
                           r->piecing       ? "[UNK]"
                           : r->unknown < 0 ? "nothing"
                                            : "<unk>");
    if (status == UR_OK && d->unknown_labels)
        status = ur_remark(&d->remarks, r->err,
                           "%s: %zu of %zu labels were none in training and count as wrong; the "
                           "first is %s on line %zu",
                           name, d->unknown_labels, ur_labels_before(d, d->count), r->strange,
                           r->strange_line);
    return status;
}

static size_t count_unknown(const ur_labelled *d, const ur_wordpiece *w)
{
    const int32_t unk = ur_wordpiece_special(w, UR_UNK);
    size_t count = 0;
    for (size_t i = 0; i < d->all; i++)
        count += (d->tokens[i] & UR_PIECE_ID) == unk;
    return count;
}

static ur_status settle(ur_labelled **out, const ur_vocabulary *tokens, ur_status status)
{
    ur_labelled *d = *out;
    if (status != UR_OK || !d) {
        ur_labelled_free(d);
        *out = NULL;
        return status;
    }
    const int32_t unknown = ur_vocabulary_find_reserved(tokens, "unk"); /* or UR_UNKNOWN */
    d->unknown = ur_ids_count((ur_ids){d->tokens, d->all}, unknown);
    d->unknown_labels =
        ur_ids_count((ur_ids){d->labels, ur_labels_before(d, d->count)}, UR_UNKNOWN);
    return UR_OK;
}

ur_status ur_labelled_learn_bytes(const ur_allocator *a, const char *name, const char *bytes,
                                  size_t size, ur_labelled_kind kind,
                                  const ur_text_options *options, const ur_reading *reading,
                                  const ur_vocabulary_options *choice, ur_labelled **out,
                                  ur_vocabulary **tokens, ur_vocabulary **labels, ur_err *err)
{
    ur_tally tally;
    ur_vocabulary *l = NULL;
    reader r = {.tally = &tally, .unknown = UR_UNKNOWN, .err = err};
    *out = NULL;
    *tokens = *labels = NULL;
    ur_status status = check_options(kind, options, NULL, err);
    if (status != UR_OK)
        return status;
    status = ur_tally_start(&tally, a, options, choice, err);
    if (status == UR_OK)
        status = ur_vocabulary_new(a, &l, err);
    r.all_labels = r.new_labels = l;
    if (status == UR_OK)
        status = read_all(&r, a, name, bytes, size, kind, options, reading, out);
    if (status == UR_OK)
        status = remark_labels(&r);
    if (status == UR_OK)
        status = ur_tally_choose(&tally, choice, tokens, err);
    if (status == UR_OK && *out)
        replace_ids(*out, tally.map);
    ur_tally_free(&tally);
    if (status == UR_OK)
        *labels = l;
    else
        ur_vocabulary_free(l);
    return settle(out, *tokens, status);
}

ur_status ur_labelled_open_bytes(const ur_allocator *a, const char *name, const char *bytes,
                                 size_t size, ur_labelled_kind kind, const ur_text_options *options,
                                 const ur_reading *reading, const ur_vocabulary *tokens,
                                 const ur_vocabulary *labels, ur_labelled **out, ur_err *err)
{
    reader r = {.known = tokens, .all_labels = labels, .err = err};
    *out = NULL;
    ur_status status = check_options(kind, options, tokens, err);
    if (status != UR_OK)
        return status;
    r.unknown = ur_vocabulary_find_reserved(tokens, "unk");
    status = read_all(&r, a, name, bytes, size, kind, options, reading, out);
    status = settle(out, tokens, status);
    if (status == UR_OK)
        status = remark_unknown(&r);
    if (status != UR_OK && *out) {
        ur_labelled_free(*out);
        *out = NULL;
    }
    return status;
}

/* ---- texts as pieces ------------------------------------------------------------------------ */

ur_status ur_piecing_text(const ur_piecing *how, const char *text, size_t bytes, ur_pieces *pieces,
                          ur_err *err)
{
    const char *tab = how->pairs ? memchr(text, '\t', bytes) : NULL;
    if (how->pairs && !tab)
        return ur_fail(err, UR_BAD_FILE, "no tab between the two texts of a pair");
    const size_t first = tab ? (size_t)(tab - text) : bytes;
    return ur_wordpiece_encode(how->wordpiece, text, first, tab ? tab + 1 : NULL,
                               tab ? bytes - first - 1 : 0, how->longest,
                               tab ? how->cutting : UR_CUT_LONGEST_FIRST, pieces, err);
}

ur_status ur_piecing_word(const ur_piecing *how, const char *word, size_t bytes, ur_pieces *pieces,
                          ur_err *err)
{
    const ur_wordpiece *w = how->wordpiece;
    const ur_status status =
        ur_wordpiece_encode(w, word, bytes, NULL, 0, 0, UR_CUT_LONGEST_FIRST, pieces, err);
    if (status != UR_OK || pieces->count > 2)
        return status;
    const char *unknown = ur_wordpiece_token(w, ur_wordpiece_special(w, UR_UNK));
    return ur_wordpiece_encode(w, unknown, strlen(unknown), NULL, 0, 0, UR_CUT_LONGEST_FIRST,
                               pieces, err);
}

static ur_status read_pieces_of(reader *r, const ur_allocator *a, const char *path,
                                ur_labelled_kind kind, const ur_reading *reading, ur_labelled **out)
{
    char *bytes;
    size_t size;
    ur_status status = ur_read_file(a, path, UR_TEXT_FILE_LIMIT, &bytes, &size, r->err);
    if (status != UR_OK)
        return status;
    status = read_all(r, a, path, bytes, size, kind, NULL, reading, out);
    ur_free(a, bytes);
    if (status != UR_OK)
        return status;
    ur_labelled *d = *out;
    d->unknown = count_unknown(d, r->piecing->wordpiece);
    d->unknown_labels =
        ur_ids_count((ur_ids){d->labels, ur_labels_before(d, d->count)}, UR_UNKNOWN);
    status = r->new_labels ? remark_labels(r) : UR_OK;
    return status == UR_OK ? remark_unknown(r) : status;
}

ur_status ur_labelled_pieces(const ur_allocator *a, const char *path, ur_labelled_kind kind,
                             const ur_piecing *how, const ur_reading *reading,
                             const ur_vocabulary *labels, ur_labelled **out,
                             ur_vocabulary **learned, bool *pairs, ur_err *err)
{
    reader r = {.piecing = how, .all_labels = labels, .err = err};
    *out = NULL;
    *learned = NULL;
    ur_status status = labels ? UR_OK : ur_vocabulary_new(a, learned, err);
    if (!labels)
        r.all_labels = r.new_labels = *learned;
    if (status == UR_OK)
        status = read_pieces_of(&r, a, path, kind, reading, out);
    if (pairs)
        *pairs = r.pairs;
    if (status == UR_OK)
        return UR_OK;
    ur_labelled_free(*out);
    ur_vocabulary_free(*learned);
    *out = NULL;
    *learned = NULL;
    return status;
}

/* ---- from files ----------------------------------------------------------------------------- */

ur_status ur_labelled_learn(const ur_allocator *a, const char *path, ur_labelled_kind kind,
                            const ur_text_options *options, const ur_reading *reading,
                            const ur_vocabulary_options *choice, ur_labelled **out,
                            ur_vocabulary **tokens, ur_vocabulary **labels, ur_err *err)
{
    char *bytes;
    size_t size;
    *out = NULL;
    *tokens = *labels = NULL;
    ur_status status = ur_read_file(a, path, UR_TEXT_FILE_LIMIT, &bytes, &size, err);
    if (status != UR_OK)
        return status;
    status = ur_labelled_learn_bytes(a, path, bytes, size, kind, options, reading, choice, out,
                                     tokens, labels, err);
    ur_free(a, bytes);
    return status;
}

ur_status ur_labelled_open(const ur_allocator *a, const char *path, ur_labelled_kind kind,
                           const ur_text_options *options, const ur_reading *reading,
                           const ur_vocabulary *tokens, const ur_vocabulary *labels,
                           ur_labelled **out, ur_err *err)
{
    char *bytes;
    size_t size;
    *out = NULL;
    ur_status status = ur_read_file(a, path, UR_TEXT_FILE_LIMIT, &bytes, &size, err);
    if (status != UR_OK)
        return status;
    status = ur_labelled_open_bytes(a, path, bytes, size, kind, options, reading, tokens, labels,
                                    out, err);
    ur_free(a, bytes);
    return status;
}

/* ---- looking at it -------------------------------------------------------------------------- */

void ur_labelled_free(ur_labelled *d)
{
    if (!d)
        return;
    ur_free(d->a, d->offset);
    ur_free(d->a, d->label_offset);
    ur_free(d->a, d->tokens);
    ur_free(d->a, d->labels);
    ur_remarks_free(&d->remarks);
    ur_free(d->a, d);
}

size_t ur_labelled_count(const ur_labelled *d)
{
    return d->count;
}

size_t ur_labelled_all_tokens(const ur_labelled *d)
{
    return d->all;
}

size_t ur_labelled_unknown(const ur_labelled *d)
{
    return d->unknown;
}

size_t ur_labelled_unknown_labels(const ur_labelled *d)
{
    return d->unknown_labels;
}

const char *ur_labelled_remark(const ur_labelled *d, size_t i)
{
    return ur_remark_at(&d->remarks, i);
}

ur_ids ur_labelled_tokens(const ur_labelled *d, size_t index)
{
    if (index >= d->count)
        return (ur_ids){NULL, 0};
    size_t begin = d->offset[index];
    return (ur_ids){d->tokens + begin, d->offset[index + 1] - begin};
}

ur_ids ur_labelled_labels(const ur_labelled *d, size_t index)
{
    if (index >= d->count)
        return (ur_ids){NULL, 0};
    const size_t begin = ur_labels_before(d, index);
    return (ur_ids){d->labels + begin, ur_labels_before(d, index + 1) - begin};
}

uint64_t ur_labelled_fingerprint(const ur_labelled *d)
{
    uint64_t hash = ur_ids_fingerprint((ur_ids){d->tokens, d->all});
    for (size_t i = 0; i < d->count; i++) {
        uint64_t labels = ur_ids_fingerprint(ur_labelled_labels(d, i));
        hash = ur_fingerprint_spread(hash, labels ^ (uint64_t)ur_labelled_tokens(d, i).length);
    }
    return hash;
}
