"""Times `parfocal segment` over slides of glass with one square of tissue, of three sizes of each.

    venv/bin/pip install -r benches/reference/requirements.txt
    venv/bin/python benches/reference/bench_segment.py --ours parfocal [--rounds 3]

The slides are pyramids of deflated tiles at 0.25 µm/px, made by this script. Every round runs all of
them in an order that changes; the table has medians over the rounds (lowest–highest). Times are those
that the program's report splits its run into: `waiting` for the readers, the network, stitching, and
writing rows and files; what is left of the whole run is the overview and the start. The last line is
the same as JSON.
"""

import argparse
import json
import random
import statistics
import subprocess
import tempfile
import time
import zlib
from pathlib import Path

import numpy
import tifffile

TILE, LEVELS = 512, 5
GLASS = (243, 242, 244)
# Width and height of the slide, px, and the side of its tissue, mm.
SLIDES = [
    ((25_000, 20_000), 2.05),
    ((50_000, 40_000), 2.05),
    ((100_000, 80_000), 2.05),
    ((50_000, 40_000), 1.0),
    ((50_000, 40_000), 4.1),
]
PARTS = ["waiting_s", "network_s", "stitching_s", "writing_s"]


def stained(side, rng):
    """Something pink with darker discs in it: what it shows does not matter to its cost."""
    picture = numpy.full((side, side, 3), (226, 160, 196), numpy.uint8)
    y, x = numpy.mgrid[:side, :side]
    picture[(x % 61 - 30) ** 2 + (y % 53 - 26) ** 2 < 250] = (96, 66, 140)
    return numpy.clip(picture + rng.integers(-12, 13, picture.shape), 0, 255).astype(numpy.uint8)


def tiles(size, square, rng):
    """Deflated tiles of one level, row by row; `square` is the range of tissue along both axes, px."""
    glass = numpy.empty((TILE, TILE, 3), numpy.uint8)
    glass[:] = GLASS
    plain, tissue = zlib.compress(glass.tobytes(), 6), stained(TILE, rng)
    for top in range(0, size[1], TILE):
        for left in range(0, size[0], TILE):
            x0, x1 = (min(max(edge - left, 0), TILE) for edge in square)
            y0, y1 = (min(max(edge - top, 0), TILE) for edge in square)
            if x0 == x1 or y0 == y1:
                yield plain
                continue
            tile = glass.copy()
            tile[y0:y1, x0:x1] = tissue[y0:y1, x0:x1]
            yield zlib.compress(tile.tobytes(), 6)


def make(path, size, side_mm):
    rng = numpy.random.default_rng(1)
    side_px = round(side_mm * 4000)
    square = (size[1] // 3, size[1] // 3 + side_px)
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for level in range(LEVELS):
            of = [max(1, edge >> level) for edge in size]
            file.write(
                tiles(of, [edge >> level for edge in square], rng),
                shape=(of[1], of[0], 3), dtype=numpy.uint8, tile=(TILE, TILE), photometric="rgb",
                compression="adobe_deflate", resolution=(40_000 / 2**level, 40_000 / 2**level),
                resolutionunit="CENTIMETER", subfiletype=1 if level else 0,
            )


def peak_mib(child):
    """Most memory of a process so far; what the system says of one that ended includes its parent's."""
    try:
        lines = Path(f"/proc/{child.pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return max((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), default=0)


def run(program, slide, folder):
    """One run's report, with its whole time and its peak memory."""
    out = Path(folder) / "map.tif"
    before = time.perf_counter()
    child = subprocess.Popen(
        [program, "segment", str(slide), "--weights", "breast", "--mag", "10", "--overwrite", "-o", str(out)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )
    peak = 0
    while child.poll() is None:
        peak = max(peak, peak_mib(child))
        time.sleep(0.02)
    whole = dict(whole_s=time.perf_counter() - before, peak_mib=peak)
    assert child.returncode == 0, child.stderr.read()
    report = json.loads(out.with_suffix(".json").read_text())
    return report["times"] | whole | {key: report[key] for key in ("slide_mm2", "tissue_mm2", "analysed_mm2", "tiles")}


def middle(values, digits=1):
    """Median (lowest–highest)."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def measure(program, rounds, folder):
    """Reports of each slide, one a round."""
    slides = []
    for number, (size, side_mm) in enumerate(SLIDES):
        slides.append(Path(folder) / f"slide{number}.tif")
        make(slides[-1], size, side_mm)
    seen = {number: [] for number in range(len(slides))}
    for turn in range(rounds):
        order = list(seen)
        random.Random(turn).shuffle(order)
        for number in order:
            seen[number].append(run(program, slides[number], folder))
    return seen


def table(seen):
    print("\n| slide, px | slide, mm² | tissue, mm² | tiles run | waiting | network | stitching | writing | whole run, s | mm²/s | peak, MiB |")
    print("|---" * 11 + "|")
    for number, reports in seen.items():
        (width, height), first = SLIDES[number][0], reports[0]
        pace = [report["analysed_mm2"] / report["whole_s"] for report in reports]
        parts = [middle([report[part] for report in reports]) for part in PARTS]
        cells = [
            f"{width:,} × {height:,}", f"{first['slide_mm2']:.0f}", f"{first['analysed_mm2']:.1f}",
            f"{first['tiles']['run']} of {first['tiles']['total']}", *parts,
            middle([report["whole_s"] for report in reports]), middle(pace, 2),
            f"{max(report['peak_mib'] for report in reports):.0f}",
        ]
        print("| " + " | ".join(cells) + " |")
    split = [
        {part: 100 * report[part] / sum(report[other] for other in PARTS) for part in PARTS}
        for reports in seen.values() for report in reports
    ]
    shares = [f"{part.removesuffix('_s')} {middle([one[part] for one in split])} %" for part in PARTS]
    print("\nOf the time between overview and files: " + ", ".join(shares) + ".")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", required=True, help="our program, `parfocal`")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seen = measure(args.ours, args.rounds, folder)
    table(seen)
    print("\n" + json.dumps({"segment": seen}))


if __name__ == "__main__":
    main()
