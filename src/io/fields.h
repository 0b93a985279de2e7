/* fields.h - configuration structs as JSON, by their tables (unroll/field.h). */
#ifndef UR_IO_FIELDS_H
#define UR_IO_FIELDS_H

#include "io/json.h"
#include "unroll/field.h"

/* Puts every member into the object that is open; those named "text.lower" into an object "text" in
 * it. Rows of one object must stand together. A text that is NULL is null. */
void ur_json_put_fields(ur_json_writer *w, const ur_field *fields, const void *config);

/* Reads them back into zeroed memory, every value checked; a key that is missing means what the
 * table says (`absent`). Keys that the table lacks, but for `others` (n; "text.x" in the object text of the
 * table), are refused. Texts are
 * copies from `a`, which ur_fields_free releases; after a failure there are none. */
ur_status ur_json_get_fields(const ur_allocator *a, const ur_json_value *object,
                             const ur_field *fields, void *config, const char *const *others,
                             size_t n, ur_err *err);

/* Replaces every text by a copy; false without memory (texts are then NULL). */
bool ur_fields_copy_texts(const ur_allocator *a, const ur_field *fields, void *config);
void ur_fields_free(const ur_allocator *a, const ur_field *fields, void *config);

#endif
