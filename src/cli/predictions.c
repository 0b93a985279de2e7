/* predictions.c - what a model makes of a text, in lines and as JSON. What a kind does not give is
 * left out. */
#include "cli.h"

#include <math.h>

/* ---- lines --------------------------------------------------------------------------------- */

/* A line for each token and a blank one after the sentence, or one line for the text. */
static void print_labels(const ur_prediction *p)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->tokens)
            printf("%s\t", p->tokens[i]);
        printf("%s\t%.4f\n", p->labels[i], (double)p->probability[i]);
    }
    if (p->tokens)
        putchar('\n');
}

static void print_numbered(const ur_prediction *p, size_t number)
{
    for (size_t i = 0; i < p->n_alternatives; i++)
        printf("%zu ||| %s ||| %.6f\n", number, p->alternatives[i].text, p->alternatives[i].score);
}

static void print_best(const ur_prediction *p)
{
    for (size_t i = 0; i < p->n_alternatives; i++)
        printf("%s\t%.6f\n", p->alternatives[i].text, p->alternatives[i].log_probability);
    putchar('\n');
}

static void print_text(const ur_prediction *p)
{
    puts(p->text);
}

/* An answer that was cut out of a text, in columns: what would end one in it is a space. */
static void print_cut(const char *text, double log_probability, const ur_text_range *place)
{
    for (; *text; text++)
        putchar(*text == '\t' || *text == '\n' || *text == '\r' ? ' ' : *text);
    printf("\t%.4f\t%zu\t%zu\n", exp(log_probability), place->begin, place->end);
}

static void print_placed(const ur_prediction *p, bool best)
{
    if (!best)
        print_cut(p->text, p->log_probability, p->place);
    for (size_t i = 0; best && i < p->n_alternatives; i++) {
        const ur_alternative *a = &p->alternatives[i];
        print_cut(a->text, a->log_probability, &p->place[i]);
    }
    if (best)
        putchar('\n');
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void print_string(const char *name, const char *text)
{
    printf("\"%s\":", name);
    json_string(stdout, text);
}

static void print_number(const char *name, double number)
{
    printf("\"%s\":", name);
    json_number(stdout, number);
}

/* ,"probabilities":{...} of every label for part i. */
static void print_all(const ur_vocabulary *labels, const ur_prediction *p, size_t i)
{
    const size_t n = ur_vocabulary_size(labels);
    fputs(",\"probabilities\":", stdout);
    for (size_t j = 0; j < n; j++) {
        putchar(j ? ',' : '{');
        json_string(stdout, ur_vocabulary_token(labels, (int32_t)j, NULL));
        putchar(':');
        json_number(stdout, (double)p->all[i * n + j]);
    }
    putchar('}');
}

static void print_part(const ur_vocabulary *labels, const ur_prediction *p, size_t i)
{
    putchar('{');
    if (p->tokens)
        print_string("token", p->tokens[i]);
    if (p->labels) {
        fputs(p->tokens ? "," : "", stdout);
        print_string("label", p->labels[i]);
    }
    if (p->probability) {
        putchar(',');
        print_number("probability", (double)p->probability[i]);
    }
    if (p->all && labels)
        print_all(labels, p, i);
    putchar('}');
}

/* ,"probability":0.9,"start":4,"end":7 of an answer that was cut out of a text. */
static void print_place(double log_probability, const ur_text_range *place)
{
    putchar(',');
    print_number("probability", exp(log_probability));
    printf(",\"start\":%zu,\"end\":%zu", place->begin, place->end);
}

static void print_alternative(const ur_alternative *a, const ur_text_range *place)
{
    putchar('{');
    print_string("text", a->text);
    if (place)
        print_place(a->log_probability, place);
    putchar(',');
    print_number("log_probability", a->log_probability);
    putchar(',');
    print_number("score", a->score);
    printf(",\"complete\":%s}", a->complete ? "true" : "false");
}

static void print_json(ur_run *run, const ur_prediction *p)
{
    putchar('{');
    print_string("input", p->input);
    if (p->text) {
        putchar(',');
        print_string("text", p->text);
    }
    if (p->place)
        print_place(p->log_probability, p->place);
    if (!isnan(p->log_probability)) {
        putchar(',');
        print_number("log_probability", p->log_probability);
        printf(",\"complete\":%s", p->complete ? "true" : "false");
    }
    fputs(",\"tokens\":[", stdout);
    for (size_t i = 0; i < p->count; i++) {
        fputs(i ? "," : "", stdout);
        print_part(ur_run_labels(run), p, i);
    }
    putchar(']');
    for (size_t i = 0; i < p->n_alternatives; i++) {
        fputs(i ? "," : ",\"alternatives\":[", stdout);
        print_alternative(&p->alternatives[i], p->place ? &p->place[i] : NULL);
    }
    printf("%s,\"unknown\":%zu", p->n_alternatives ? "]" : "", p->unknown);
    if (p->cut)
        printf(",\"cut\":%zu", p->cut);
    puts("}");
}

static void print_left_out(const ur_prediction *p)
{
    putchar('{');
    print_string("input", p->input);
    printf(",\"left_out\":true,\"unknown\":%zu,\"cut\":%zu}\n", p->unknown, p->cut);
}

void print_refusal(const char *text, bool json, const char *why)
{
    if (!json) {
        putchar('\n');
        return;
    }
    putchar('{');
    print_string("input", text);
    putchar(',');
    print_string("error", why);
    puts("}");
}

void print_prediction(ur_run *run, const ur_prediction *p, size_t number, bool json, bool best)
{
    if (p->left_out && json)
        print_left_out(p);
    else if (p->left_out)
        putchar('\n');
    else if (json)
        print_json(run, p);
    else if (p->labels)
        print_labels(p);
    else if (p->place)
        print_placed(p, best && p->n_alternatives);
    else if (best && p->n_alternatives && ur_run_kind(run)->numbered)
        print_numbered(p, number);
    else if (best && p->n_alternatives)
        print_best(p);
    else
        print_text(p);
}
