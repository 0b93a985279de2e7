/* pair_lines.c - question and answer on each line of a file. */
#include "data/pair_lines.h"

#include <string.h>

#include "base/status.h"

static const char *const question_names[] = {"source", "src", "question", "input", NULL};
static const char *const answer_names[] = {"target", "tgt", "trg", "answer", "output", NULL};
const ur_two_columns ur_pair_columns = {{"--source-column", "--target-column"},
                                        {question_names, answer_names}};

/* The separator of the first line that has anything on it. */
static char find_separator(const ur_lines *begin)
{
    ur_lines l = *begin;
    while (l.size > 0) {
        ur_line line;
        l.err = NULL;
        if (ur_lines_next(&l, &line) != UR_OK)
            break; /* which is said when the line is read */
        for (size_t i = 0; i < line.size; i++)
            if (line.bytes[i] != ' ')
                return memchr(line.bytes, '\t', line.size) ? '\t' : '_';
    }
    return '_';
}

ur_status ur_pair_lines_start(ur_pair_lines *p, const ur_allocator *a, const char *name,
                              const char *bytes, size_t size, const ur_reading *reading,
                              ur_remarks *remarks, ur_err *err)
{
    ur_remarks unheard = {.a = a};
    bool values;
    ur_table_start(&p->table, a, name, bytes, size, err);
    p->remarks = remarks;
    p->blank = p->more = p->at = 0;
    p->separator = 0;
    if (!ur_table_more(&p->table))
        return ur_fail(err, UR_BAD_FILE, "%s: an empty file where pairs were expected", name);
    const ur_status status = ur_table_find_columns(&p->table, &ur_pair_columns, reading, &values,
                                                   p->place, remarks ? remarks : &unheard);
    ur_remarks_free(&unheard);
    if (status != UR_OK || values)
        return status;
    p->separator = find_separator(&p->table.lines);
    return UR_OK;
}

/* A line cut at its separator; what stands behind a second tab belongs to nothing. */
static ur_status cut_line(ur_pair_lines *p, ur_span *question, ur_span *answer)
{
    const ur_table *t = &p->table;
    const char *line = t->row.bytes, *end = line + t->row.size;
    const char *first = memchr(line, p->separator, t->row.size);
    if (!first)
        return ur_fail(t->lines.err, UR_BAD_FILE,
                       "%s: line %zu: no %s between a question and an answer", t->lines.name,
                       t->line, p->separator == '\t' ? "tab" : "tab or _");
    const char *second =
        p->separator == '\t' ? memchr(first + 1, '\t', (size_t)(end - first - 1)) : NULL;
    if (second && p->more++ == 0)
        p->at = t->line;
    *question = (ur_span){line, (size_t)(first - line)};
    *answer = (ur_span){first + 1, (size_t)((second ? second : end) - first - 1)};
    return UR_OK;
}

ur_status ur_pair_lines_next(ur_pair_lines *p, ur_span *question, ur_span *answer, bool *found)
{
    ur_table *t = &p->table;
    *found = false;
    *question = *answer = (ur_span){"", 0};
    while (ur_table_more(t)) {
        ur_status status = ur_table_next(t);
        if (status != UR_OK)
            return status;
        const bool tabs = !p->separator || p->separator == '\t';
        if (ur_table_blank(t) && !(tabs && memchr(t->row.bytes, '\t', t->row.size))) {
            p->blank++;
            continue;
        }
        *found = true;
        if (p->separator)
            return cut_line(p, question, answer);
        status = ur_table_even(t);
        if (status == UR_OK && t->fields > p->place[0] && t->fields > p->place[1]) {
            *question = t->field[p->place[0]];
            *answer = t->field[p->place[1]];
        }
        return status;
    }
    return UR_OK;
}

ur_status ur_pair_lines_remark(const ur_pair_lines *p, ur_remarks *remarks)
{
    const ur_lines *l = &p->table.lines;
    ur_status status = ur_lines_remark(l, remarks);
    if (status == UR_OK && p->blank)
        status = ur_remark(remarks, l->err, "%s: %zu blank line%s passed over", l->name, p->blank,
                           p->blank == 1 ? " is" : "s are");
    if (status == UR_OK && p->more)
        status = ur_remark(remarks, l->err,
                           "%s: what stands behind a second tab is not read (first on line %zu)",
                           l->name, p->at);
    return status;
}
