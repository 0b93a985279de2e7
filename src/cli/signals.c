/* signals.c - a first Ctrl-C (or SIGTERM, or SIGHUP of a terminal that is gone) asks to stop, a second
 * one stops at once: after the first, Ctrl-C and SIGTERM have their usual effect again. A signal handler can speak to the rest of a program
 * through a variable of the file alone. */
#include "cli.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t asked = 0;

static void set_handler(int number, void (*handler)(int))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

static const int caught[] = {SIGINT, SIGTERM, SIGHUP};
enum { CAUGHT = sizeof caught / sizeof *caught };

/* A terminal that goes may send SIGHUP twice, from the system and from its shell: it never kills. */
static void ask(int number)
{
    (void)number;
    asked = 1;
    set_handler(SIGINT, SIG_DFL);
    set_handler(SIGTERM, SIG_DFL);
}

void catch_signals(void)
{
    struct sigaction now;
    /* what a caller had us ignore (nohup, a shell's background job) stays ignored */
    for (int i = 0; i < CAUGHT; i++)
        if (sigaction(caught[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            set_handler(caught[i], ask);
}

bool stop_asked(void)
{
    return asked != 0;
}
