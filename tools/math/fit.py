#!/usr/bin/env python3
"""Fits the polynomials of src/kernels/body_math.h.

Each is a weighted minimax fit by Remez exchange in 60 digits. The coefficients are then rounded to
single precision one at a time, lowest power first, refitting the rest after each, so that the
rounding of one is made good by the others. Prints them as C constants with the error that remains.
Needs mpmath:  python3 tools/math/fit.py
"""
from mpmath import mp, mpf as F, matrix, lu_solve, exp, log, erf, erfc, sqrt, cos, pi
import struct

mp.dps = 60


def single(x):
    """x rounded to the nearest float."""
    return F(struct.unpack("f", struct.pack("f", float(x)))[0])


def remez(f, weight, powers, a, b, rounds=30, points=600):
    """The polynomial sum c_i x^powers[i] whose largest |weight (p - f)| over [a, b] is least."""
    n = len(powers)
    grid = [(a + b) / 2 + (b - a) / 2 * cos(pi * (points - 1 - i) / (points - 1))
            for i in range(points)]
    fs = [f(x) for x in grid]
    ws = [weight(x) for x in grid]
    nodes = [round(i * (points - 1) / n) for i in range(n + 1)]
    coef = None
    for _ in range(rounds):
        rows = matrix(n + 1, n + 1)
        rhs = matrix(n + 1, 1)
        for r, i in enumerate(nodes):
            for k, p in enumerate(powers):
                rows[r, k] = grid[i] ** p
            rows[r, n] = (-1) ** r / ws[i]
            rhs[r] = fs[i]
        solution = lu_solve(rows, rhs)
        coef = [solution[k] for k in range(n)]
        err = [ws[i] * (sum(c * grid[i] ** p for c, p in zip(coef, powers)) - fs[i])
               for i in range(points)]
        # one extremum per run of equal sign, then the best n + 1 neighbours
        runs = []
        for i, e in enumerate(err):
            if runs and (err[runs[-1]] > 0) == (e > 0):
                if abs(e) > abs(err[runs[-1]]):
                    runs[-1] = i
            else:
                runs.append(i)
        while len(runs) > n + 1:
            runs.pop(0 if abs(err[runs[0]]) < abs(err[runs[-1]]) else -1)
        if len(runs) < n + 1 or runs == nodes:
            break
        nodes = runs
    return coef, max(abs(e) for e in err)


def fit(name, f, weight, powers, a, b):
    """Fits, rounds and prints."""
    done, powers = [], list(powers)
    _, ideal = remez(f, weight, powers, a, b)
    while powers:
        rest = lambda x: f(x) - sum(c * x ** p for p, c in done)
        coef, _ = remez(rest, weight, powers, a, b)
        done.append((powers.pop(0), single(coef[0])))
    worst = max(abs(weight(x) * (sum(c * x ** p for p, c in done) - f(x)))
                for x in [a + (b - a) * i / 2000 for i in range(2001)])
    print(f"/* {name}: {float(ideal * 2**24):.4f} u before, {float(worst * 2**24):.4f} u after"
          f" rounding */")
    for p, c in done:
        print(f"    x^{p}: {float(c).hex()}  /* {mp.nstr(c, 12)} */")


half = log(2) / 2 * F("1.0005")
tiny = F(10) ** -12

print("exp: e^r = 1 + r + r^2 g(r)")
g = lambda r: (exp(r) - 1 - r) / r**2 if abs(r) > tiny else F(1) / 2 + r / 6
fit("g", g, lambda r: r**2 / exp(r), range(5), -half, half)

print("log(1+f) = f - f^2/2 + f^3 P(f)")
low, high = sqrt(F(1) / 2) - 1, sqrt(F(2)) - 1
p = lambda f: (log(1 + f) - f + f**2 / 2) / f**3 if abs(f) > F(10)**-9 else F(1) / 3 - f / 4
fit("P", p, lambda f: abs(f**3 / log(1 + f)) if abs(f) > tiny else tiny**2, range(8), low, high)

cut = F("0.9")
print("erf x = x + x P(x^2), |x| <= 0.9, in z = x^2")
e = lambda z: erf(sqrt(z)) / sqrt(z) - 1 if z > tiny else 2 / sqrt(pi) - 1 - 2*z / (3*sqrt(pi))
fit("P", e, lambda z: 1 / (1 + e(z)), range(7), F(0), cut**2)

print("erf x = 1 - exp(-Q(x)), 0.9 <= x <= 4, Q = -log(erfc x)")
fit("Q", lambda x: -log(erfc(x)), lambda x: erfc(x) / erf(x), range(7), cut, F(4))
