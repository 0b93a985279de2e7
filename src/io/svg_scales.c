/* svg_scales.c - how numbers become round ticks and colours; see svg.h. */
#include "io/svg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- ticks -------------------------------------------------------------------------------- */

ur_ticks ur_nice_ticks(double least, double most, int about, bool whole, bool around)
{
    double raw = (most - least) / about;
    double power = pow(10.0, floor(log10(raw)));
    double part = raw / power; /* 1 to 10 */
    double step = power * (part < 1.5 ? 1 : part < 3.2 ? 2 : part < 7.1 ? 5 : 10);
    if (whole && step < 1)
        step = 1;
    /* A hundred-thousandth of a step forgives rounding: 0.1 + 0.2 lies on the tick 0.3. */
    double low = least / step, high = most / step, slack = around ? 1e-5 : -1e-5;
    double first = around ? floor(low + slack) : ceil(low + slack);
    double last = around ? ceil(high - slack) : floor(high - slack);
    int decimals = (int)ceil(-log10(step) - 1e-9);
    double count = fmin(fmax(last - first + 1, 0), 50);
    return (ur_ticks){.first = first * step,
                      .step = step,
                      .count = (int)count,
                      .decimals = decimals > 0 ? decimals : 0};
}

double ur_tick(const ur_ticks *ticks, int i)
{
    /* Whole multiples of the step, so that zero is zero. */
    return (round(ticks->first / ticks->step) + i) * ticks->step;
}

void ur_tick_label(const ur_ticks *ticks, double value, bool percent, char out[UR_TICK_LABEL])
{
    int decimals = ticks->decimals;
    if (percent) {
        value *= 100;
        decimals = decimals > 2 ? decimals - 2 : 0;
    }
    char number[UR_FIXED];
    double size = fabs(value);
    const char *unit = percent ? " %" : "";
    if (size != 0 && (size >= 1e6 || decimals > 5)) {
        int exponent = (int)floor(log10(size) + 1e-9);
        ur_fixed(number, value / pow(10.0, exponent), 2, true);
        snprintf(out, UR_TICK_LABEL, "%.20se%d%s", number, exponent, unit);
    } else {
        snprintf(out, UR_TICK_LABEL, "%.30s%s", ur_fixed(number, value, decimals, false), unit);
    }
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
