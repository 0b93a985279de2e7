/* table.c - rows of a text file and their fields. A field lies in the file's bytes where it can, and
 * in the table's own where doubled quotes had to be undone. */
#include "data/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "base/utf8.h"

void ur_table_start(ur_table *t, const ur_allocator *a, const char *name, const char *bytes,
                    size_t size, ur_err *err)
{
    t->a = a;
    t->cut = UR_CUT_NOT;
    t->scratch = NULL;
    t->used = t->line = t->fields = t->columns = 0;
    t->whole = size;
    ur_lines_start(&t->lines, name, bytes, size, err);
}

void ur_table_free(ur_table *t)
{
    ur_free(t->a, t->scratch);
    t->scratch = NULL;
}

bool ur_table_more(const ur_table *t)
{
    return t->lines.size > 0;
}

static void add_field(ur_table *t, const char *bytes, size_t size)
{
    if (t->fields < UR_TABLE_COLUMNS)
        t->field[t->fields] = (ur_span){bytes, size};
    t->fields++;
}

ur_span ur_span_strip(ur_span s)
{
    while (s.size && *s.bytes == ' ') {
        s.bytes++;
        s.size--;
    }
    while (s.size && s.bytes[s.size - 1] == ' ')
        s.size--;
    return s;
}

bool ur_table_blank(const ur_table *t)
{
    for (size_t i = 0; i < t->row.size; i++)
        if (t->row.bytes[i] != ' ' && (t->row.bytes[i] != '\t' || t->cut == UR_CUT_TABS))
            return false;
    return true;
}

/* ---- lines cut at tabs or white space ------------------------------------------------------ */

static void cut_at_tabs(ur_table *t)
{
    const char *at = t->row.bytes, *end = at + t->row.size, *tab;
    for (; (tab = memchr(at, '\t', (size_t)(end - at))); at = tab + 1)
        add_field(t, at, (size_t)(tab - at));
    add_field(t, at, (size_t)(end - at));
}

static void cut_at_blanks(ur_table *t)
{
    const char *at = t->row.bytes, *end = at + t->row.size;
    if (memchr(at, '\t', t->row.size)) {
        cut_at_tabs(t);
        return;
    }
    for (;;) {
        while (at < end && *at == ' ')
            at++;
        const char *begin = at;
        while (at < end && *at != ' ')
            at++;
        if (at == begin)
            return;
        add_field(t, begin, (size_t)(at - begin));
    }
}

/* ---- values with quotes -------------------------------------------------------------------- */

static ur_status bad(const ur_table *t, size_t line, const char *what)
{
    return ur_fail(t->lines.err, UR_BAD_FILE, "%s: line %zu: %s", t->lines.name, line, what);
}

/* A field between quotes of which some are doubled, without the double. */
static ur_status undouble(ur_table *t, const char *bytes, size_t size)
{
    if (!t->scratch && !(t->scratch = ur_alloc(t->a, t->whole, 1)))
        return ur_no_memory(t->lines.err, t->whole);
    char *to = t->scratch + t->used;
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        to[n++] = bytes[i];
        i += bytes[i] == '"';
    }
    t->used += n;
    add_field(t, to, n);
    return UR_OK;
}

/* The quote that closes a field which begins at `at`, or NULL. */
static const char *closing_quote(const char *at, const char *end, bool *doubled)
{
    *doubled = false;
    for (; at < end; at++) {
        if (*at != '"')
            continue;
        if (at + 1 == end || at[1] != '"')
            return at;
        *doubled = true;
        at++;
    }
    return NULL;
}

/* Takes the file's next line to the row. */
static ur_status longer_row(ur_table *t, size_t opened, const char **end)
{
    ur_line line;
    if (t->lines.size == 0)
        return bad(t, opened, "a quote that opens here is never closed");
    ur_status status = ur_lines_next(&t->lines, &line);
    if (status == UR_OK)
        status = ur_lines_check(&t->lines, line.bytes, line.size);
    *end = line.bytes + line.size;
    return status;
}

/* A field that begins with a quote. *at moves to the separator behind it, or to the row's end. Between
 * tabs a quote may also be just a quote: *quoted is then false. */
static ur_status quoted_field(ur_table *t, const char **at, const char **end, bool *quoted)
{
    const size_t opened = t->lines.line;
    const bool strict = t->separator == ',';
    bool doubled;
    const char *close;
    *quoted = true;
    while (!(close = closing_quote(*at + 1, *end, &doubled))) {
        if (!strict) {
            *quoted = false;
            return UR_OK;
        }
        const ur_status status = longer_row(t, opened, end);
        if (status != UR_OK)
            return status;
    }
    if (close + 1 < *end && close[1] != t->separator) {
        *quoted = false;
        return strict ? bad(t, t->lines.line, "text behind a closing quote") : UR_OK;
    }
    const char *begin = *at + 1;
    *at = close + 1;
    if (doubled)
        return undouble(t, begin, (size_t)(close - begin));
    add_field(t, begin, (size_t)(close - begin));
    return UR_OK;
}

static ur_status cut_values(ur_table *t)
{
    const char *at = t->row.bytes, *end = at + t->row.size;
    for (;;) {
        bool quoted = at < end && *at == '"';
        if (quoted) {
            const ur_status status = quoted_field(t, &at, &end, &quoted);
            if (status != UR_OK)
                return status;
        }
        if (!quoted) {
            const char *stop = memchr(at, t->separator, (size_t)(end - at));
            stop = stop ? stop : end;
            add_field(t, at, (size_t)(stop - at));
            at = stop;
        }
        if (at == end)
            return UR_OK;
        at++;
    }
}

ur_status ur_table_next(ur_table *t)
{
    ur_status status = ur_lines_next(&t->lines, &t->row);
    t->line = t->lines.line;
    t->fields = 0;
    if (status == UR_OK)
        status = ur_lines_check(&t->lines, t->row.bytes, t->row.size);
    if (status != UR_OK)
        return status;
    switch (t->cut) {
    case UR_CUT_NOT:
        add_field(t, t->row.bytes, t->row.size);
        return UR_OK;
    case UR_CUT_BLANKS:
        cut_at_blanks(t);
        return UR_OK;
    case UR_CUT_TABS:
        cut_at_tabs(t);
        return UR_OK;
    case UR_CUT_VALUES:
        return cut_values(t);
    }
    return UR_OK;
}

ur_status ur_table_even(ur_table *t)
{
    if (!t->columns) {
        t->columns = t->fields;
        t->counted = t->line;
    }
    if (t->fields == t->columns)
        return UR_OK;
    return ur_fail(t->lines.err, UR_BAD_FILE, "%s: line %zu: %zu column%s, line %zu has %zu",
                   t->lines.name, t->line, t->fields, t->fields == 1 ? "" : "s", t->counted,
                   t->columns);
}

/* ---- which columns ------------------------------------------------------------------------- */

bool ur_column_named(const char *column)
{
    return column && *column;
}

bool ur_column_numbered(const char *column)
{
    return ur_column_named(column) && strspn(column, "0123456789") == strlen(column);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_name(ur_span field, const char *name, bool any_case)
{
    field = ur_span_strip(field);
    if (strlen(name) != field.size)
        return false;
    for (size_t i = 0; i < field.size; i++)
        if (field.bytes[i] != name[i] && (!any_case || lower(field.bytes[i]) != lower(name[i])))
            return false;
    return true;
}

/* "'text', 'label'" as far as there is room. */
static void list_fields(const ur_table *t, char *text, size_t capacity)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < t->fields && i < UR_TABLE_COLUMNS && used + UR_QUOTED < capacity; i++) {
        char quoted[UR_QUOTED];
        ur_quote(t->field[i].bytes, t->field[i].size < 40 ? t->field[i].size : 40, quoted);
        used += (size_t)snprintf(text + used, capacity - used, "%s%s", used ? ", " : "", quoted);
    }
}

ur_status ur_table_column(const ur_table *t, const char *column, const char *option, size_t *place)
{
    char list[300];
    const size_t columns = t->fields < UR_TABLE_COLUMNS ? t->fields : UR_TABLE_COLUMNS;
    if (ur_column_numbered(column)) {
        const unsigned long long number = strtoull(column, NULL, 10);
        if (number == 0 || number > columns)
            return ur_fail(t->lines.err, UR_BAD_FILE,
                           "%s: line %zu: there is no column %s (%s): the line has %zu",
                           t->lines.name, t->line, column, option, t->fields);
        *place = (size_t)number - 1;
        return UR_OK;
    }
    for (*place = 0; *place < columns; ++*place)
        if (same_name(t->field[*place], column, false))
            return UR_OK;
    for (*place = 0; *place < columns; ++*place)
        if (same_name(t->field[*place], column, true))
            return UR_OK;
    list_fields(t, list, sizeof list);
    return ur_fail(t->lines.err, UR_BAD_FILE,
                   "%s: line %zu: no column is called \"%.60s\" (%s); there is: %s", t->lines.name,
                   t->line, column, option, list);
}

static bool ends_with(const char *name, const char *ending)
{
    const size_t n = strlen(name), m = strlen(ending);
    return n >= m && same_name((ur_span){name + n - m, m}, ending, true);
}

/* The column whose name is in the list; false: none. */
static bool known_column(const ur_table *t, const char *const *names, size_t *place)
{
    for (; *names; names++)
        for (*place = 0; *place < t->fields && *place < UR_TABLE_COLUMNS; ++*place)
            if (same_name(t->field[*place], *names, true))
                return true;
    return false;
}

static ur_status which_columns(const ur_table *t, const ur_two_columns *two)
{
    char list[300];
    list_fields(t, list, sizeof list);
    return ur_fail(t->lines.err, UR_BAD_FILE,
                   "%s: which columns are meant? Line %zu has %s: say %s and %s, by name or (where "
                   "line %zu has no names) by number",
                   t->lines.name, t->line, list, two->option[0], two->option[1], t->line);
}

static ur_status say_columns(const ur_table *t, const size_t place[2], ur_remarks *remarks)
{
    char first[UR_QUOTED], second[UR_QUOTED];
    const ur_span a = t->field[place[0]], b = t->field[place[1]];
    return ur_remark(remarks, t->lines.err, "%s: columns %s and %s are read", t->lines.name,
                     ur_quote(a.bytes, a.size, first), ur_quote(b.bytes, b.size, second));
}

/* Columns that are numbered: there is no line of names. */
static ur_status numbered_columns(ur_table *t, const ur_two_columns *two,
                                  const char *const column[2], size_t place[2])
{
    const ur_lines begin = t->lines;
    ur_status status = ur_table_next(t);
    for (size_t i = 0; status == UR_OK && i < 2; i++)
        status = ur_table_column(t, column[i], two->option[i], &place[i]);
    t->lines = begin; /* the row is read again, as data */
    t->used = 0;
    return status;
}

ur_status ur_table_find_columns(ur_table *t, const ur_two_columns *two, const ur_reading *reading,
                                bool *values, size_t place[2], ur_remarks *remarks)
{
    const char *column[2] = {reading ? reading->input_column : NULL,
                             reading ? reading->target_column : NULL};
    const bool csv = ends_with(t->lines.name, ".csv"), tsv = ends_with(t->lines.name, ".tsv");
    const bool first = ur_column_named(column[0]), second = ur_column_named(column[1]);
    const ur_lines begin = t->lines;
    const char *end = memchr(begin.bytes, begin.returns ? '\r' : '\n', begin.size);
    const size_t size = end ? (size_t)(end - begin.bytes) : begin.size;
    *values = false;
    if (!first && !second && !csv && !tsv)
        return UR_OK;
    if (first != second)
        return ur_fail(t->lines.err, UR_INVALID, "%s goes with %s", two->option[first ? 0 : 1],
                       two->option[first ? 1 : 0]);
    *values = true;
    t->cut = UR_CUT_VALUES;
    t->separator = size && memchr(begin.bytes, '\t', size) ? '\t' : ',';
    if (first && ur_column_numbered(column[0]) && ur_column_numbered(column[1]))
        return numbered_columns(t, two, column, place);
    ur_status status = ur_table_next(t);
    if (status == UR_OK && (first || !tsv))
        status = ur_table_even(t);
    if (status != UR_OK)
        return status;
    if (!first && known_column(t, two->names[0], &place[0]) &&
        known_column(t, two->names[1], &place[1]))
        return say_columns(t, place, remarks);
    if (!first && tsv) { /* lines as of any file with tabs */
        *values = false;
        t->lines = begin;
        t->used = 0;
        t->cut = UR_CUT_NOT;
        return UR_OK;
    }
    if (!first)
        return which_columns(t, two);
    for (size_t i = 0; status == UR_OK && i < 2; i++)
        status = ur_table_column(t, column[i], two->option[i], &place[i]);
    return status;
}

ur_status ur_lines_remark(const ur_lines *lines, ur_remarks *remarks)
{
    if (!lines->marks)
        return UR_OK;
    return ur_remark(remarks, lines->err,
                     "%s: line %zu begins with a byte order mark (U+FEFF), which is read as a "
                     "character there; were files joined?",
                     lines->name, lines->marked);
}
