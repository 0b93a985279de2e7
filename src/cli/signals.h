/* signals.h - a first Ctrl-C (or SIGTERM) asks to stop, a second one stops at once. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stdbool.h>

void catch_signals(void);
bool stop_asked(void);

#endif
