"""Writes signed-rank.json: two-sided p-values of the signed-rank test above 30 pairs, for StatisticsTests.

Run: /usr/bin/python3 signed-rank.py   (the standard library alone). The formula is
that of scipy.stats.wilcoxon(zero_method="wilcox", correction=True, method="approx"): equal pairs are dropped, z = (T - mean -
sign(T - mean) / 2) / sqrt(variance), the variance less the sum of (t^3 - t) / 48 over groups of t ties. Below is what is exact for
comparison: the share of all sign patterns by a count of sums.
"""
import json
import math
import os
import random


def ranked(differences):
    kept = [d for d in differences if d != 0]
    sizes = sorted(abs(d) for d in kept)
    rank = {s: sum(i + 1 for i, x in enumerate(sizes) if x == s) / sizes.count(s) for s in set(sizes)}
    return kept, rank, [sizes.count(s) for s in rank]


def approximate(differences):
    kept, rank, ties = ranked(differences)
    n = len(kept)
    total = sum(rank[abs(d)] for d in kept if d > 0)
    mean = n * (n + 1) / 4
    variance = n * (n + 1) * (2 * n + 1) / 24 - sum(t ** 3 - t for t in ties) / 48
    z = total - mean
    z = (z - math.copysign(0.5, z) if z else 0) / math.sqrt(variance)
    return math.erfc(abs(z) / math.sqrt(2))


def exact(differences):
    kept, rank, _ = ranked(differences)
    sums = {0: 1}
    for d in kept:
        twice = round(2 * rank[abs(d)])
        following = dict(sums)
        for value, ways in sums.items():
            following[value + twice] = following.get(value + twice, 0) + ways
        sums = following
    everything = sum(round(2 * rank[abs(d)]) for d in kept)
    above = sum(round(2 * rank[abs(d)]) for d in kept if d > 0)
    least = min(above, everything - above)
    return min(1, 2 * sum(ways for value, ways in sums.items() if value <= least) / 2 ** len(kept))


draw = random.Random(1)
cases = {
    "31 pairs": [draw.gauss(0.4, 1) for _ in range(31)],
    "40 pairs in 5 ties": [draw.choice([-1, 1, 1, 2, -2, 3, 4, 5]) for _ in range(40)],
    "60 pairs, two sizes": [draw.choice([-1, 1, 1, 7]) for _ in range(60)],
    "45 pairs, 10 of them equal": [0.0] * 10 + [draw.gauss(-0.3, 1) for _ in range(35)],
    "200 pairs": [draw.gauss(0.1, 1) for _ in range(200)],
    "as many above as below": [sign * k for k in range(1, 21) for sign in (-1, 1)],
    "next to the middle": [k if k % 4 in (0, 1) else -k for k in range(1, 34)],
    "33 times the same": [1.0] * 20 + [-1.0] * 13,
}
result = {}
for name, differences in cases.items():
    differences = [round(d, 6) for d in differences]
    result[name] = {"differences": differences, "p": approximate(differences), "exact": exact(differences)}
    print(f"{name}: {result[name]['p']:.6g}, exactly {result[name]['exact']:.6g}")
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "signed-rank.json"), "w") as file:
    json.dump({"cases": result}, file, indent=0)
    file.write("\n")
