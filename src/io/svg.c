/* svg.c - elements, texts and colours of the pictures; see svg.h. */
#include "io/svg.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* One character as XML text. XML has no way to say most control characters: their pictures
 * (U+2400 ...) stand for them; a middle dot for the mark of joined tokens, which few fonts have. */
static void put_escaped(ur_buffer *b, uint32_t c)
{
    char bytes[4];
    if (c < 0x20)
        c += 0x2400;
    else if (c == 0x7F)
        c = 0x2421;
    else if ((c >= 0x80 && c < 0xA0) || c == 0xFFFE || c == 0xFFFF)
        c = 0xFFFD;
    else if (c == 0xFFED)
        c = 0xB7;
    if (c == '&')
        ur_buffer_text(b, "&amp;");
    else if (c == '<')
        ur_buffer_text(b, "&lt;");
    else if (c == '>')
        ur_buffer_text(b, "&gt;");
    else if (c == '"')
        ur_buffer_text(b, "&quot;");
    else
        ur_buffer_put(b, bytes, ur_utf8_encode(c, bytes));
}

static void put_text(ur_buffer *b, const char *text)
{
    for (uint32_t c; (c = ur_utf8_next(&text)) != 0;)
        put_escaped(b, c);
}

void ur_svg_put(ur_buffer *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    for (const char *p; (p = strchr(format, '%')) != NULL; format = p + 2) {
        ur_buffer_put(b, format, (size_t)(p - format));
        if (p[1] == 'f')
            ur_buffer_fixed(b, va_arg(args, double), 2, true);
        else if (p[1] == 'd')
            ur_buffer_int(b, va_arg(args, int));
        else if (p[1] == 's')
            ur_buffer_text(b, va_arg(args, const char *));
        else if (p[1] == 't')
            put_text(b, va_arg(args, const char *));
        else
            ur_buffer_put(b, "%", 1);
    }
    va_end(args);
    ur_buffer_text(b, format);
}

void ur_svg_begin(ur_buffer *b, double width, double height, const char *title)
{
    ur_svg_put(b,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%f\" height=\"%f\" "
               "viewBox=\"0 0 %f %f\" role=\"img\" aria-label=\"%t\" font-family=\"%s\">\n",
               width, height, width, height, title != NULL ? title : "", UR_SVG_SANS);
    ur_svg_put(b, "<rect width=\"%f\" height=\"%f\" fill=\"#ffffff\"/>\n", width, height);
}

void ur_svg_end(ur_buffer *b)
{
    ur_buffer_text(b, "</svg>\n");
}

/* ---- texts -------------------------------------------------------------------------------- */

/* Widths in a common sans-serif font, in parts of its size. */
static double character_width(uint32_t c)
{
    if (c < 0x80) {
        if (strchr("iljI.,:;'|![]()ft", (int)c) != NULL)
            return 0.36;
        if (strchr("mwMW@%", (int)c) != NULL)
            return 0.92;
        return c == ' ' ? 0.32 : c >= 'A' && c <= 'Z' ? 0.70 : 0.60;
    }
    if (c >= 0x300 && c < 0x370) /* combining marks */
        return 0;
    bool wide = (c >= 0x1100 && c < 0x1160) || (c >= 0x2E80 && c < 0xD7B0) ||
                (c >= 0xF900 && c < 0xFB00) || (c >= 0xFE30 && c < 0xFE70) ||
                (c >= 0xFF00 && c < 0xFF61) || (c >= 0x1F300 && c < 0x1FB00) ||
                (c >= 0x20000 && c < 0x40000);
    return wide ? 1.0 : 0.62;
}

double ur_svg_text_width(const char *text, double size)
{
    double width = 0;
    for (uint32_t c; (c = ur_utf8_next(&text)) != 0;)
        width += character_width(c);
    return width * size;
}

void ur_svg_text(ur_buffer *b, double x, double y, const ur_svg_style *style, double width,
                 const char *text)
{
    /* The baseline lies about a third of the size below the middle line. */
    double down = 0.35 * style->size;
    if (style->upright)
        ur_svg_put(b, "<text transform=\"translate(%f %f) rotate(-90)\"", x + down, y);
    else
        ur_svg_put(b, "<text x=\"%f\" y=\"%f\"", x, y + down);
    ur_svg_put(b, " font-size=\"%f\" fill=\"%s\"", style->size, style->colour);
    if (strcmp(style->anchor, "start") != 0)
        ur_svg_put(b, " text-anchor=\"%s\"", style->anchor);
    if (style->bold)
        ur_svg_put(b, " font-weight=\"600\"");
    if (style->mono)
        ur_svg_put(b, " font-family=\"%s\"", UR_SVG_MONO);
    ur_svg_put(b, ">");
    bool cut = ur_svg_text_width(text, style->size) > width;
    double left = width / style->size - (cut ? 0.9 : 0);
    for (uint32_t c; (c = ur_utf8_next(&text)) != 0;) {
        left -= cut ? character_width(c) : 0;
        if (left < 0)
            break;
        put_escaped(b, c);
    }
    ur_svg_put(b, cut ? "\xE2\x80\xA6</text>\n" : "</text>\n");
}

#define TITLE_SIZE 15.0
#define BOLD 1.15 /* how much wider bold letters are */

double ur_svg_title_width(const char *text)
{
    return ur_svg_text_width(text, TITLE_SIZE) * BOLD;
}

void ur_svg_title(ur_buffer *b, double x, double y, double page, double edge, const char *text)
{
    const ur_svg_style style = {TITLE_SIZE, "middle", UR_SVG_INK, .bold = true};
    double room = page - 2 * edge, half = fmin(ur_svg_title_width(text), room) / 2;
    x = fmin(fmax(x, edge + half), page - edge - half);
    ur_svg_text(b, x, y, &style, room / BOLD + 0.01, text);
}

/* ---- colours ------------------------------------------------------------------------------ */

/* After Okabe and Ito's palette, the light ones darkened to stand on white. */
const char *ur_curve_colour(size_t i)
{
    static const char *const colours[UR_CURVE_COLOURS] = {
        "#0072b2", "#d55e00", "#009e73", "#b8568f", "#3d3d3d", "#c98a00", "#3fa0d8"};
    return colours[i % UR_CURVE_COLOURS];
}

/* One channel of linear light as a byte of sRGB. */
static int srgb_byte(double linear)
{
    double v = linear <= 0.0031308 ? 12.92 * linear : 1.055 * pow(linear, 1 / 2.4) - 0.055;
    return (int)lround(255 * fmin(fmax(v, 0), 1));
}

/* A path through the Oklab colour space (B. Ottosson, 2020): lightness L falls linearly with t, which
 * makes equal steps look equal; the hue turns a little from blue-green to blue, and the chroma bulges
 * in the middle, where the screen has room for it. */
void ur_scale_colour(double t, char out[8])
{
    t = round(fmin(fmax(t, 0), 1) * 255) / 255; /* 256 colours: no digit hangs on a last bit */
    double L = 1.0 - 0.68 * t;
    double chroma = 0.128 * pow(sin(3.14159265358979 * pow(t, 0.9) * 0.80), 1.1);
    double hue = (228 + 36 * t) * 3.14159265358979 / 180;
    double a = chroma * cos(hue), b = chroma * sin(hue);
    double l = L + 0.3963377774 * a + 0.2158037573 * b;
    double m = L - 0.1055613458 * a - 0.0638541728 * b;
    double s = L - 0.0894841775 * a - 1.2914855480 * b;
    l = l * l * l;
    m = m * m * m;
    s = s * s * s;
    snprintf(out, 8, "#%02x%02x%02x",
             (unsigned)srgb_byte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s) & 255u,
             (unsigned)srgb_byte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s) & 255u,
             (unsigned)srgb_byte(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s) & 255u);
}
