/* field.h - what reading a configuration from elsewhere than a command line needs of its table. */
#ifndef UR_BASE_FIELD_H
#define UR_BASE_FIELD_H

#include "unroll/field.h"

enum { UR_FIELD_EXPECTED = 300 };

/* What may stand in the field: "a whole number from 1 to 9". */
void ur_field_expected(const ur_field *field, char text[UR_FIELD_EXPECTED]);

/* Sets a field of a numeric type; false where x is out of its range. Whole numbers are whole. */
bool ur_field_put_number(const ur_field *field, void *config, double x);

/* The member becomes what it is in `from`; a text is not copied. */
void ur_field_take(const ur_field *field, void *config, const void *from);

#endif
