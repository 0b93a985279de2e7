/* label_table.h - what an evaluation of labels says: scores of each, and which is taken for which. */
#ifndef CLI_LABEL_TABLE_H
#define CLI_LABEL_TABLE_H

#include "cli.h"

typedef struct label_report {
    const ur_vocabulary *names;
    const ur_confusion *confusion;
    const ur_measure *measure;
    const char *unit; /* what has a label: "tokens", "texts" */
} label_report;

/* For people: sums, a line for each label, and the matrix; in place of a matrix too wide to be read
 * the most frequent confusions. */
void print_label_table(const label_report *r);
/* All of it as one object. */
void print_label_json(const label_report *r);

#endif
