/* text_source.c - what models of text know of their text files. */
#include "unroll/models.h"

#include "base/status.h"

ur_status ur_text_source_check(const ur_text_source *s, const ur_vocabulary *vocabulary,
                               ur_err *err)
{
    if (!(s->valid_split >= 0.0 && s->valid_split < 1.0))
        return ur_fail(err, UR_INVALID,
                       "a part of %g of the text for validation, it must be in [0, 1)",
                       s->valid_split);
    return ur_text_check(&s->options, vocabulary, err);
}
