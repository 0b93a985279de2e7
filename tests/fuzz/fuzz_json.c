/* fuzz_json.c - any bytes are either refused with a sentence or a document that can be walked and
 * asked for anything; what is copied from it with the writer parses again. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    if (ur_json_only(value, keys, 4, &err) == UR_BAD_FILE && err.text[0] == '\0')
        abort();
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ur_json *doc = NULL, *again = NULL;
    ur_json_writer *copy = NULL;
    ur_err err = {0};
    ur_status status = ur_json_parse(NULL, "input", (const char *)data, size, &doc, &err);
    if (status != UR_OK) {
        if (status != UR_BAD_FILE || err.text[0] == '\0' || doc != NULL)
            abort();
        return 0;
    }
    if (ur_json_writer_new(NULL, (int)(size % 3), &copy, NULL) != UR_OK)
        abort();
    ur_json_value root = ur_json_root(doc);
    ur_json_open_list(copy, NULL);
    walk(&root, copy, 0);
    ur_json_close_list(copy);
    size_t length = 0;
    const char *text = ur_json_text(copy, &length, NULL);
    if (text == NULL || ur_json_parse(NULL, "copy", text, length, &again, &err) != UR_OK)
        abort();
    ur_json_free(again);
    ur_json_writer_free(copy);
    ur_json_free(doc);
    return 0;
}
