/* fuzz_utf8.c - bytes decoded, counted, shown and quoted: what is shown is well-formed UTF-8 that nothing in
 * controls a terminal, whole characters however small the room, which the first byte says. */
#include "frame.h"

#include <string.h>

#include "base/utf8.h"

const fuzz_setup fuzz_frame = {.memory = 0};

static void check_characters(const char *bytes, size_t size)
{
    size_t count, n = 0, at = 0;
    const bool well = ur_utf8_count(bytes, size, &count);
    while (at < size) {
        uint32_t character;
        char again[4];
        const size_t taken = ur_utf8_decode(bytes + at, size - at, &character);
        if (!taken)
            break;
        FUZZ_CHECK(taken <= 4 && ur_utf8_encode(character, again) == taken);
        FUZZ_CHECK(memcmp(again, bytes + at, taken) == 0);
        at += taken;
        n++;
    }
    FUZZ_CHECK(well == (at == size) && count == (well ? n : at));
}

static void check_shown(const char *bytes, size_t size, size_t capacity)
{
    char shown[UR_SHOWN], quoted[UR_QUOTED], *text = malloc(capacity + 1), *copy = malloc(size + 1);
    FUZZ_CHECK(text && copy);
    const size_t n = ur_printable(bytes, size, text, capacity);
    FUZZ_CHECK(capacity == 0 ? n == 0 : n < capacity && text[n] == '\0' && strlen(text) == n);
    if (capacity)
        FUZZ_CHECK(fuzz_printable(text));
    memcpy(copy, bytes, size);
    copy[size] = '\0';
    FUZZ_CHECK(fuzz_printable(ur_shown(shown, copy)));
    FUZZ_CHECK(fuzz_printable(ur_quote(bytes, size, quoted)));
    free(text);
    free(copy);
}

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    fuzz_bytes input = {data, size};
    const uint8_t room = fuzz_byte(&input);
    (void)a;
    check_characters((const char *)input.at, input.left);
    check_shown((const char *)input.at, input.left, room);
}
