/* Mean squared local cross correlation over a cubic window, and its gradient in the first image.
 *
 * Sums over the window go axis by axis and by doubling: of 2, 4, 8, ... neighbours, of which those
 * in the binary digits of the window's side are added. Nothing is ever subtracted, so nothing
 * drifts, and every step is a pass over contiguous memory that stays in the innermost cache.
 */
#include "kernels.h"

#define CENTRE 0.5f
#define FIELDS 3

typedef struct {
    Size size;
    long radius;
    float epsilon;
    const float *inside[3]; /* share of the window inside the volume, along each axis */
} Box;

/* Scratch of one thread: an area with a margin of radius on both sides of two axes, and results. */
typedef struct {
    float *padded, *summed, *fields;
} Bench;

static long padded_area(Size s, long radius) {
    long rows = s.d > s.h ? s.d : s.h;
    return (rows + 2 * radius) * (s.w + 2 * radius);
}

static long bench_floats(Size s, long radius) {
    long lines = FIELDS * s.d * s.w, plane = s.h * s.w;
    return 2 * padded_area(s, radius) + (lines > plane ? lines : plane);
}

static Bench bench_at(float *memory, Size s, long radius) {
    long area = padded_area(s, radius);
    Bench bench = {memory, memory + area, memory + 2 * area};
    return bench;
}

/* Floats of scratch that ``hipreg_lcc`` needs. */
long hipreg_lcc_scratch(Size size, long radius, int threads) {
    long sides = size.d + size.h + size.w, totals = 2 * (size.d + size.h) + 4;
    return (FIELDS + 2) * voxels(size) + sides + totals + bench_floats(size, radius) * threads;
}

/* to[i] = from[i] + from[i + stride] + ..., 2 radius + 1 terms; ``from`` has 2 radius strides more
 * than ``count`` values and is used up. */
static void sum_neighbours(float *from, long count, long stride, long radius, float *to) {
    long width = 2 * radius + 1, done = 0;
    for (long span = 1; span <= width; span *= 2) {
        if (width & span) {
            const float *part = from + done * stride;
            if (done == 0)
                memcpy(to, part, (size_t)count * sizeof(float));
            else
#pragma omp simd
                for (long i = 0; i < count; i++) to[i] += part[i];
            done += span;
        }
        if (2 * span > width) break;
        /* What the larger spans still read. */
        long left = count + (width - 2 * span) * stride, ahead = span * stride;
#pragma omp simd
        for (long i = 0; i < left; i++) from[i] += from[i + ahead];
    }
}

/* Window means over H and W of one plane of a, or of the product of a and b, both less centre. */
static void mean_plane(const float *a, const float *b, float centre, Box box, Bench bench,
                       float *out) {
    long r = box.radius, height = box.size.h, width = box.size.w, row = width + 2 * r;
    float scale = 1.0f / (float)((2 * r + 1) * (2 * r + 1)), *padded = bench.padded;
    memset(padded, 0, (size_t)(height * row + 2 * r) * sizeof(float));
    for (long h = 0; h < height; h++) {
        const float *x = a + h * width, *y = b ? b + h * width : 0;
        float *line = padded + h * row + r;
        if (y)
#pragma omp simd
            for (long w = 0; w < width; w++) line[w] = (x[w] - centre) * (y[w] - centre);
        else
#pragma omp simd
            for (long w = 0; w < width; w++) line[w] = x[w] - centre;
    }
    /* Results at the ends of rows mix two rows; they are left behind. */
    sum_neighbours(padded, height * row, 1, r, bench.summed);
    memset(padded, 0, (size_t)(r * width) * sizeof(float));
    memset(padded + (r + height) * width, 0, (size_t)(r * width) * sizeof(float));
    for (long h = 0; h < height; h++)
#pragma omp simd
        for (long w = 0; w < width; w++)
            padded[(r + h) * width + w] = bench.summed[h * row + w] * scale;
    sum_neighbours(padded, height * width, width, r, out);
}

/* Window means along D of the lines at h of a field, or what lies ``plane`` apart: (D, W). */
static void mean_along_d(const float *from, long plane, Box box, Bench bench, float *to) {
    long r = box.radius, depth = box.size.d, width = box.size.w;
    float scale = 1.0f / (float)(2 * r + 1), *padded = bench.padded;
    memset(padded, 0, (size_t)(r * width) * sizeof(float));
    memset(padded + (r + depth) * width, 0, (size_t)(r * width) * sizeof(float));
    for (long d = 0; d < depth; d++)
#pragma omp simd
        for (long w = 0; w < width; w++) padded[(r + d) * width + w] = from[d * plane + w] * scale;
    sum_neighbours(padded, depth * width, width, r, to);
}

/* Mean and inverse variance of the fixed image at one h, from its plane means in ``fields``. */
static void reference_lines(long h, const float *fields, Box box, Bench bench, float *mean,
                            float *inverse) {
    Size s = box.size;
    long plane = s.h * s.w, area = s.d * s.w;
    for (long f = 0; f < 2; f++)
        mean_along_d(fields + f * voxels(s) + h * s.w, plane, box, bench, bench.fields + f * area);
    for (long d = 0; d < s.d; d++) {
        const float *means = bench.fields + d * s.w, *squares = means + area;
        float *to_mean = mean + d * plane + h * s.w, *to_inverse = inverse + d * plane + h * s.w;
        float inside = box.inside[0][d] * box.inside[1][h];
#pragma omp simd
        for (long w = 0; w < s.w; w++) {
            float outside = 1 - inside * box.inside[2][w];
            float m = means[w] - CENTRE * outside;
            float variance = squares[w] + CENTRE * CENTRE * outside - m * m;
            to_mean[w] = m;
            to_inverse[w] = 1 / ((variance > 0 ? variance : 0) + box.epsilon);
        }
    }
}

/* Sum of cc over the mask along one line. ``fields`` holds three lines that are ``stride`` apart:
 * window means of x, x x and x y, which become the slopes by mean, covariance and variance. */
static double correlate_line(float *fields, long stride, const float *mean, const float *inverse,
                             const uint8_t *mask, float weight, float inside, Box box) {
    float *means = fields, *squares = fields + stride, *products = fields + 2 * stride, total = 0;
#pragma omp simd reduction(+ : total)
    for (long w = 0; w < box.size.w; w++) {
        float outside = 1 - inside * box.inside[2][w];
        float m = means[w] - CENTRE * outside;
        float variance = squares[w] + CENTRE * CENTRE * outside - m * m;
        float covariance = products[w] + CENTRE * CENTRE * outside - mean[w] * m;
        variance = (variance > 0 ? variance : 0) + box.epsilon;
        /* With r = cov / (var var'): cc = cov r, dcc/dcov = 2 r, dcc/dvar = -cc / var. */
        float per_variance = 1 / variance;
        float ratio = covariance * inverse[w] * per_variance * weight;
        ratio = mask[w] ? ratio : 0;
        float cc = covariance * ratio, by_variance = -cc * per_variance;
        total += cc;
        means[w] = -2 * (mean[w] * ratio + m * by_variance);
        squares[w] = by_variance;
        products[w] = 2 * ratio;
    }
    return (double)total;
}

/* All d of one h: the sum of cc, and the slopes' window means along D, back into ``fields``. */
static double correlate_lines(long h, float *fields, const float *mean, const float *inverse,
                              const uint8_t *mask, float weight, int slopes, Box box,
                              Bench bench) {
    Size s = box.size;
    long plane = s.h * s.w, area = s.d * s.w;
    double total = 0;
    for (long f = 0; f < FIELDS; f++)
        mean_along_d(fields + f * voxels(s) + h * s.w, plane, box, bench, bench.fields + f * area);
    for (long d = 0; d < s.d; d++) {
        long at = d * plane + h * s.w;
        total += correlate_line(bench.fields + d * s.w, area, mean + at, inverse + at,
                                mask + at, weight, box.inside[0][d] * box.inside[1][h], box);
    }
    for (long f = 0; slopes && f < FIELDS; f++) {
        mean_along_d(bench.fields + f * area, s.w, box, bench, bench.summed);
        for (long d = 0; d < s.d; d++)
            memcpy(fields + f * voxels(s) + d * plane + h * s.w, bench.summed + d * s.w,
                   (size_t)s.w * sizeof(float));
    }
    return total;
}

/* The gradient on plane d from the slopes, which lack their sums along H and W. */
static void gradient_plane(long d, const float *fields, const float *warped, const float *fixed,
                           Box box, Bench bench, float *gradient) {
    long plane = box.size.h * box.size.w, volume = voxels(box.size), at = d * plane;
    mean_plane(fields + at, 0, 0, box, bench, gradient + at);
    float *summed = bench.fields;
    mean_plane(fields + 2 * volume + at, 0, 0, box, bench, summed);
#pragma omp simd
    for (long i = 0; i < plane; i++) gradient[at + i] += (fixed[at + i] - CENTRE) * summed[i];
    mean_plane(fields + volume + at, 0, 0, box, bench, summed);
#pragma omp simd
    for (long i = 0; i < plane; i++)
        gradient[at + i] += 2 * (warped[at + i] - CENTRE) * summed[i];
}

static long count_true(const uint8_t *mask, long count) {
    long total = 0;
#pragma omp simd reduction(+ : total)
    for (long i = 0; i < count; i++) total += mask[i];
    return total;
}

/* Share of the window around each voxel of an axis that lies inside the volume. */
static void share_inside(long length, long radius, float *share) {
    for (long i = 0; i < length; i++) {
        long below = i < radius ? i : radius, above = length - 1 - i;
        long found = below + 1 + (above < radius ? above : radius);
        share[i] = (float)found / (float)(2 * radius + 1);
    }
}

static double total_of(const double *parts, long count) {
    double total = 0;
    for (long i = 0; i < count; i++) total += parts[i];
    return total;
}

/* What all threads share. */
typedef struct {
    Box box;
    float *fields, *mean, *inverse;
    double *totals; /* of each h, then of each d */
} Work;

/* The reference of one fixed image. Called by all threads of a team, as what follows is. */
static void prepare(Work work, Bench bench, const float *fixed) {
    Size size = work.box.size;
    long plane = size.h * size.w;
#pragma omp for
    for (long d = 0; d < size.d; d++) {
        const float *y = fixed + d * plane;
        mean_plane(y, 0, CENTRE, work.box, bench, work.fields + d * plane);
        mean_plane(y, y, CENTRE, work.box, bench, work.fields + voxels(size) + d * plane);
    }
#pragma omp for
    for (long h = 0; h < size.h; h++)
        reference_lines(h, work.fields, work.box, bench, work.mean, work.inverse);
}

/* Value and gradient (or NULL) of one prediction. */
static void correlate(Work work, Bench bench, const float *warped, const float *fixed,
                      const uint8_t *mask, float *value, float *gradient) {
    Size size = work.box.size;
    long plane = size.h * size.w, volume = voxels(size);
#pragma omp for
    for (long d = 0; d < size.d; d++) {
        long at = d * plane;
        const float *x = warped + at, *y = fixed + at;
        mean_plane(x, 0, CENTRE, work.box, bench, work.fields + at);
        mean_plane(x, x, CENTRE, work.box, bench, work.fields + volume + at);
        mean_plane(x, y, CENTRE, work.box, bench, work.fields + 2 * volume + at);
        work.totals[size.h + d] = (double)count_true(mask + at, plane);
    }
    double covered = total_of(work.totals + size.h, size.d);
    float weight = 1 / (float)(covered > 1 ? covered : 1);
#pragma omp for
    for (long h = 0; h < size.h; h++)
        work.totals[h] = correlate_lines(h, work.fields, work.mean, work.inverse, mask, weight,
                                         gradient != 0, work.box, bench);
#pragma omp single
    *value = (float)total_of(work.totals, size.h);
    if (gradient)
#pragma omp for
        for (long d = 0; d < size.d; d++)
            gradient_plane(d, work.fields, warped, fixed, work.box, bench, gradient);
}

/* values (predictions, batch) of warped (predictions, batch, size) against fixed (batch, size),
 * over the voxels of mask (as warped); gradient as warped, or NULL. */
void hipreg_lcc(long predictions, long batch, Size size, long radius, float epsilon,
                const float *warped, const float *fixed, const uint8_t *mask, float *values,
                float *gradient, float *scratch, int threads) {
    long volume = voxels(size);
    double *totals = (double *)scratch; /* first: allocations are aligned for doubles */
    float *inside = scratch + 2 * (size.d + size.h), *fields = inside + size.d + size.h + size.w;
    float *benches = fields + (FIELDS + 2) * volume;
    Box box = {size, radius, epsilon, {inside, inside + size.d, inside + size.d + size.h}};
    Work work = {box, fields, fields + FIELDS * volume, fields + (FIELDS + 1) * volume, totals};
    share_inside(size.d, radius, inside);
    share_inside(size.h, radius, inside + size.d);
    share_inside(size.w, radius, inside + size.d + size.h);
#pragma omp parallel num_threads(threads)
    {
        Bench bench = bench_at(benches + thread_rank() * bench_floats(size, radius), size, radius);
        for (long b = 0; b < batch; b++) {
            const float *reference = fixed + b * volume;
            prepare(work, bench, reference);
            for (long s = 0; s < predictions; s++) {
                long at = (s * batch + b) * volume;
                correlate(work, bench, warped + at, reference, mask + at, values + s * batch + b,
                          gradient ? gradient + at : 0);
            }
        }
    }
}
