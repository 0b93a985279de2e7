/* svg.h - the pieces that the pictures are made of: elements, texts, colours. */
#ifndef UR_IO_SVG_H
#define UR_IO_SVG_H

#include "io/buffer.h"

#define UR_SVG_INK "#1f2328"   /* titles, labels */
#define UR_SVG_FAINT "#59636e" /* tick labels, axes */
#define UR_SVG_GRID "#e4e7eb"
#define UR_SVG_SANS "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
#define UR_SVG_MONO "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"

/* Puts SVG with values in it: %f a double (at most two decimals), %d an int, %s a string as it is,
 * %t a text, escaped, %% a percent sign. */
void ur_svg_put(ur_buffer *b, const char *format, ...);

/* The start of a picture of this size in pixels, with its white background, and its end. `title`
 * (or NULL) is what a screen reader says. */
void ur_svg_begin(ur_buffer *b, double width, double height, const char *title);
void ur_svg_end(ur_buffer *b);

/* How a text is drawn. */
typedef struct ur_svg_style {
    double size;        /* of the font, in pixels */
    const char *anchor; /* "start", "middle" or "end" */
    const char *colour;
    bool bold, mono;
    bool upright; /* turned by 90 degrees, reading upwards */
} ur_svg_style;

/* A text whose middle line runs through (x, y); cut with an ellipsis to about `width` pixels. */
void ur_svg_text(ur_buffer *b, double x, double y, const ur_svg_style *style, double width,
                 const char *text);

/* About how wide a text comes out, in pixels: fonts differ, so rather too wide. */
double ur_svg_text_width(const char *text, double size);

/* The picture's title, bold, its middle at x if it fits between the edges of a picture `page` wide,
 * else where it fits, cut if need be; and about how wide it comes out. */
void ur_svg_title(ur_buffer *b, double x, double y, double page, double edge, const char *text);
double ur_svg_title_width(const char *text);

/* ---- colours ------------------------------------------------------------------------------ */

enum { UR_CURVE_COLOURS = 7 };

/* Colours of curves ("#0072b2"), told apart by colour-blind readers, too. */
const char *ur_curve_colour(size_t i);

/* The colour of `t` in [0, 1] as "#rrggbb": white to dark blue, lightness falling evenly. */
void ur_scale_colour(double t, char out[8]);

#endif
