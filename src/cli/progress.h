/* progress.h - what is seen of a training while it runs. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "cli.h"

typedef struct progress {
    size_t epochs; /* that were asked for */
    bool quiet, json;
    bool terminal;  /* a line that rewrites itself */
    bool line_open; /* such a line is on the screen */
    bool stop_said;
    double drawn; /* when it was last drawn, in seconds of a clock of its own */
    size_t step;  /* the last one */
    bool evaluated;
    ur_metrics metrics;         /* the last ones */
    const char *const *figures; /* that the run's kind has */
    const char *unit;           /* of its speed */
} progress;

progress progress_start(const settings *s, const ur_run *run);

/* Hooks that tell what happens; `p` must outlive them. */
ur_run_hooks progress_hooks(progress *p);

/* Takes the rewriting line off the screen. */
void progress_clear(progress *p);

#endif
