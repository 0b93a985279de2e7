/* fuzz_json.c - any bytes are either refused with a sentence or a document that can be walked and
 * asked for anything; what is copied from it with the writer parses again. */
#include "frame.h"

#include <math.h>
#include <string.h>

#include "io/json.h"

const fuzz_setup fuzz_frame = {.memory = 1 << 20, .per_byte = 512, .failing = true};

/* Asks a value for everything it could be, and copies it if it is one of those. */
static void walk(const ur_json_value *value, ur_json_writer *copy, int depth)
{
    static const char *const keys[] = {"dtype", "shape", "a", "hidden_size"};
    int64_t whole;
    double real;
    bool truth;
    const char *text;
    int choice;
    size_t length;
    ur_err err = {0};
    const ur_status only = ur_json_only(value, keys, 4, &err);
    if (only != UR_OK)
        fuzz_refused(only, &err, FUZZ_MAY(UR_BAD_FILE));
    ur_json_choice(value, keys, 4, &choice, &err);
    if (ur_json_int(value, INT64_MIN, INT64_MAX, &whole, &err) == UR_OK) {
        ur_json_put_int(copy, NULL, whole);
    } else if (ur_json_real(value, -INFINITY, INFINITY, &real, &err) == UR_OK) {
        ur_json_put_real(copy, NULL, real);
    } else if (ur_json_bool(value, &truth, &err) == UR_OK) {
        ur_json_put_bool(copy, NULL, truth);
    } else if (ur_json_string(value, &text, &err) == UR_OK) {
        ur_json_put_string(copy, NULL, text);
    } else if (depth < 50 && ur_json_list(value, 100, &length, &err) == UR_OK) {
        ur_json_open_list(copy, NULL);
        for (size_t i = 0; i < length; i++) {
            ur_json_value item = ur_json_item(value, i);
            walk(&item, copy, depth + 1);
        }
        ur_json_close_list(copy);
    } else if (depth < 50 && ur_json_object(value, &err) == UR_OK) {
        for (size_t i = 0; i < 4; i++) {
            ur_json_value member = ur_json_member(value, keys[i]);
            if (!ur_json_is_missing(&member))
                walk(&member, copy, depth + 1);
            else
                ur_json_put_null(copy, NULL);
        }
    } else {
        ur_json_put_null(copy, NULL);
    }
}

/* The copy's text parses again. */
static void check_copy(const ur_allocator *a, const ur_json_writer *copy)
{
    ur_json *again = NULL;
    ur_err err = {0};
    size_t length = 0;
    const char *text = ur_json_text(copy, &length, &err);
    if (!text) {
        fuzz_refused(err.status, &err, 0);
        return;
    }
    if (fuzz_well(ur_json_parse(a, "copy", text, length, &again, &err), &err))
        ur_json_free(again);
}

void fuzz_one(const ur_allocator *a, const uint8_t *data, size_t size)
{
    ur_json *doc = NULL;
    ur_json_writer *copy = NULL;
    ur_err err = {0};
    ur_status status = ur_json_parse(a, "input", (const char *)data, size, &doc, &err);
    if (status != UR_OK) {
        fuzz_refused(status, &err, FUZZ_MAY(UR_BAD_FILE));
        FUZZ_CHECK(doc == NULL);
        return;
    }
    if (fuzz_well(ur_json_writer_new(a, (int)(size % 3), &copy, &err), &err)) {
        ur_json_value root = ur_json_root(doc);
        ur_json_open_list(copy, NULL);
        walk(&root, copy, 0);
        ur_json_close_list(copy);
        check_copy(a, copy);
        ur_json_writer_free(copy);
    }
    ur_json_free(doc);
}
