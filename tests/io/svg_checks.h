/* svg_checks.h - reading a picture back (FILE_NAME, defined before) and whether it is well-formed. */
#ifndef UR_TESTS_SVG_CHECKS_H
#define UR_TESTS_SVG_CHECKS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"

static inline char *read_picture(void)
{
    char *text = NULL;
    size_t size = 0;
    ur_err err = {0};
    if (ur_read_file(NULL, FILE_NAME, 64 << 20, &text, &size, &err) != UR_OK)
        fail_msg("%s", err.text);
    assert_int_equal(strlen(text), size);
    return text;
}

/* ---- a small check of XML ----------------------------------------------------------------- */

/* The end of the tag that begins at `p`: every attribute is NAME="VALUE" with no '<' in it. */
static inline const char *check_tag(const char *p)
{
    p += 1 + (p[1] == '/');
    p += strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    while (*p == ' ') {
        p += 1 + strcspn(p + 1, "=<> \"");
        if (p[0] != '=' || p[1] != '"')
            fail_msg("attribute without a value: %.40s", p);
        p += 2 + strcspn(p + 2, "\"<");
        if (*p++ != '"')
            fail_msg("value without an end: %.40s", p - 1);
    }
    p += *p == '/';
    if (*p != '>')
        fail_msg("tag without an end: %.40s", p);
    return p + 1;
}

/* Tags match, texts hold no bare '&', and no byte is a control character but the line feed. */
static inline void assert_well_formed(const char *text)
{
    const char *open[64];
    int depth = 0;
    assert_memory_equal(text, "<svg ", 5);
    for (const char *p = text; *p != '\0';) {
        if ((unsigned char)*p < 0x20 && *p != '\n')
            fail_msg("control character %d", *p);
        if (*p == '&' && strncmp(p, "&amp;", 5) != 0 && strncmp(p, "&lt;", 4) != 0 &&
            strncmp(p, "&gt;", 4) != 0 && strncmp(p, "&quot;", 6) != 0)
            fail_msg("bare ampersand: %.40s", p);
        if (*p != '<') {
            p++;
            continue;
        }
        const char *end = check_tag(p);
        if (p[1] == '/') {
            assert_true(depth > 0);
            depth--;
            assert_memory_equal(open[depth] + 1, p + 2, (size_t)(end - p) - 3);
        } else if (end[-2] != '/') {
            assert_true(depth < 64);
            open[depth++] = p;
        }
        p = end;
    }
    assert_int_equal(depth, 0);
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
}

static inline size_t occurrences(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
        n++;
    return n;
}

#endif
