/* normalise.c - Unicode's normalisation forms C and KC by utf8proc, in memory of our own. ASCII,
 * most of most texts, is normal already. */
#include "text/normalise.h"

#include <string.h>
#include <utf8proc.h>

#include "base/alloc.h"
#include "base/status.h"
#include "text/characters.h"

const char *const ur_unicode_words[] = {"as-is", "nfc", "nfkc", NULL};

size_t ur_normalised_room(ur_unicode form, size_t bytes)
{
    return form == UR_UNICODE_NFKC && bytes <= SIZE_MAX / 6 ? 6 * bytes : bytes;
}

void ur_normaliser_free(ur_normaliser *n)
{
    ur_free(n->a, n->codes);
    n->codes = NULL;
    n->capacity = 0;
}

static bool is_normal(const ur_normaliser *n, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)bytes[i] >= 0x80 || (n->lower && bytes[i] >= 'A' && bytes[i] <= 'Z'))
            return false;
    return true;
}

static utf8proc_option_t options_of(ur_unicode form)
{
    const int composed = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    return (utf8proc_option_t)(form == UR_UNICODE_NFKC ? composed | UTF8PROC_COMPAT : composed);
}

/* Its characters, decomposed where a form is asked for; *count is how many there are. */
static ur_status decompose(ur_normaliser *n, const char *bytes, size_t size,
                           utf8proc_ssize_t *count, ur_err *err)
{
    const utf8proc_option_t options =
        n->form == UR_UNICODE_AS_IS ? (utf8proc_option_t)0 : options_of(n->form);
    for (;;) {
        *count = utf8proc_decompose((const utf8proc_uint8_t *)bytes, (utf8proc_ssize_t)size,
                                    n->codes, (utf8proc_ssize_t)n->capacity, options);
        if (*count < 0)
            return ur_fail(err, UR_BAD_FILE, "a text cannot be normalised: %s",
                           utf8proc_errmsg(*count));
        if ((size_t)*count < n->capacity) /* reencode closes the text with a zero byte */
            return UR_OK;
        if (!ur_reserve(n->a, &n->codes, &n->capacity, 0, (size_t)*count + 1, sizeof *n->codes))
            return ur_no_memory(err, (size_t)*count * sizeof *n->codes);
    }
}

ur_status ur_normalise(ur_normaliser *n, const char **bytes, size_t *size, ur_err *err)
{
    utf8proc_ssize_t count;
    if ((n->form == UR_UNICODE_AS_IS && !n->lower) || is_normal(n, *bytes, *size))
        return UR_OK;
    const ur_status status = decompose(n, *bytes, *size, &count, err);
    if (status != UR_OK)
        return status;
    if (n->form != UR_UNICODE_AS_IS)
        count = utf8proc_normalize_utf32(n->codes, count, options_of(n->form));
    for (utf8proc_ssize_t i = 0; n->lower && i < count; i++)
        n->codes[i] = (int32_t)ur_character_lower((uint32_t)n->codes[i]);
    count = count < 0 ? count : utf8proc_reencode(n->codes, count, (utf8proc_option_t)0);
    if (count < 0)
        return ur_fail(err, UR_BAD_FILE, "a text cannot be normalised: %s", utf8proc_errmsg(count));
    *bytes = (const char *)n->codes;
    *size = (size_t)count;
    return UR_OK;
}
