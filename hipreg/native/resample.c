/* Reading volumes at positions, trilinearly or at the nearest voxel; the derivative by position.
 *
 * Volumes are padded by one voxel of zeros and positions clamped to [-1, length], so that reading
 * outside gives 0 without a branch.
 */
#include "padded.h"

/* The lowest corners that one line of output voxels reads, and the distances from them. */
typedef struct {
    int32_t *base;
    float *d, *h, *w;
    float *inside;  /* 1, or 0 for positions outside: they read 0 whichever way they move */
    float *corners; /* see ``fetch`` */
} Corners;

static void pad_plane(const float *volume, Size in, long d, float *padded) {
    Size out = padded_size(in);
    float *plane = padded + d * out.h * out.w;
    memset(plane, 0, (size_t)(out.h * out.w) * sizeof(float));
    if (d == 0 || d == out.d - 1) return;
    for (long h = 0; h < in.h; h++)
        memcpy(plane + (h + 1) * out.w + 1, volume + ((d - 1) * in.h + h) * in.w,
               (size_t)in.w * sizeof(float));
}

/* Positions along the line (d, h, :) of a field, (3, count); with ``relative`` the field is added to
 * the voxel's own. */
static void find_positions(const float *field, Size size, int relative, long d, long h,
                           float *positions) {
    float own[3] = {(float)d, (float)h, 0};
    for (long axis = 0; axis < 3; axis++) {
        const float *from = field + ((axis * size.d + d) * size.h + h) * size.w;
        float *to = positions + axis * size.w, origin = relative ? own[axis] : 0;
        float step = relative && axis == 2 ? 1 : 0;
#pragma omp simd
        for (long w = 0; w < size.w; w++) to[w] = from[w] + (origin + step * (float)(int32_t)w);
    }
}

/* The nearest voxel of each position in a volume of ``size``, -1 outside. */
static void find_nearest(Size size, const float *positions, long count, int32_t *index) {
    float depth = (float)size.d, height = (float)size.h, width = (float)size.w;
    int32_t row = (int32_t)size.w, plane = (int32_t)size.h * row;
    const float *pd = positions, *ph = pd + count, *pw = ph + count;
#pragma omp simd
    for (long w = 0; w < count; w++) {
        float d = rintf(pd[w]), h = rintf(ph[w]), i = rintf(pw[w]);
        int inside = (d >= 0) & (h >= 0) & (i >= 0) & (d < depth) & (h < height) & (i < width);
        float near_d = inside ? d : 0, near_h = inside ? h : 0, near_w = inside ? i : 0;
        int32_t at = (int32_t)near_d * plane + (int32_t)near_h * row + (int32_t)near_w;
        index[w] = inside ? at : -1;
    }
}

/* The corners of each position in a volume of ``size``, whose padded copy is read. */
static void find_corners(Size size, const float *positions, long count, Corners to) {
    float depth = (float)size.d, height = (float)size.h, width = (float)size.w;
    int32_t row = (int32_t)size.w + 2, plane = ((int32_t)size.h + 2) * row;
    const float *of_d = positions, *of_h = of_d + count, *of_w = of_h + count;
#pragma omp simd
    for (long w = 0; w < count; w++) {
        float pd = clamped(of_d[w], depth), ph = clamped(of_h[w], height);
        float pw = clamped(of_w[w], width);
        to.inside[w] = (pd > -1) & (ph > -1) & (pw > -1) & (pd < depth) & (ph < height) &
                               (pw < width)
                           ? 1.0f
                           : 0.0f;
        float ld = lower(pd, depth), lh = lower(ph, height), lw = lower(pw, width);
        to.base[w] = ((int32_t)ld + 1) * plane + ((int32_t)lh + 1) * row + (int32_t)lw + 1;
        to.d[w] = pd - ld;
        to.h[w] = ph - lh;
        to.w[w] = pw - lw;
    }
}

/* The two voxels along W at each of the four corners over D and H: (4, count, 2). Copying first
 * lets all that follows run on whole lines. */
static void fetch(const float *padded, Size in, const int32_t *base, long count, float *corners) {
    long row = in.w + 2, plane = (in.h + 2) * row;
    long offsets[4] = {0, row, plane, plane + row};
    for (long k = 0; k < 4; k++) {
        const float *from = padded + offsets[k];
        float *to = corners + 2 * k * count;
        for (long w = 0; w < count; w++) memcpy(to + 2 * w, from + base[w], 2 * sizeof(float));
    }
}

static void read_line(const float *padded, Size in, Corners at, long count, float *out) {
    fetch(padded, in, at.base, count, at.corners);
    const float *a = at.corners, *b = a + 2 * count, *e = b + 2 * count, *f = e + 2 * count;
#pragma omp simd
    for (long w = 0; w < count; w++) {
        float fd = at.d[w], fh = at.h[w], fw = at.w[w];
        float va = a[2 * w] + fw * (a[2 * w + 1] - a[2 * w]);
        float vb = b[2 * w] + fw * (b[2 * w + 1] - b[2 * w]);
        float ve = e[2 * w] + fw * (e[2 * w + 1] - e[2 * w]);
        float vf = f[2 * w] + fw * (f[2 * w + 1] - f[2 * w]);
        float low = va + fh * (vb - va), high = ve + fh * (vf - ve);
        out[w] = low + fd * (high - low);
    }
}

/* Adds the derivative by position of what ``read_line`` reads, times ``upstream``. */
static void add_slopes(const float *padded, Size in, Corners at, long count,
                       const float *upstream, float *slope, long stride) {
    fetch(padded, in, at.base, count, at.corners);
    const float *a = at.corners, *b = a + 2 * count, *e = b + 2 * count, *f = e + 2 * count;
    float *by_d = slope, *by_h = slope + stride, *by_w = slope + 2 * stride;
#pragma omp simd
    for (long w = 0; w < count; w++) {
        float fd = at.d[w], fh = at.h[w], fw = at.w[w], by = upstream[w] * at.inside[w];
        float da = a[2 * w + 1] - a[2 * w], db = b[2 * w + 1] - b[2 * w];
        float de = e[2 * w + 1] - e[2 * w], df = f[2 * w + 1] - f[2 * w];
        float va = a[2 * w] + fw * da, vb = b[2 * w] + fw * db;
        float ve = e[2 * w] + fw * de, vf = f[2 * w] + fw * df;
        float dlow = vb - va, dhigh = vf - ve;
        by_d[w] += by * (ve + fh * dhigh - va - fh * dlow);
        by_h[w] += by * (dlow + fd * (dhigh - dlow));
        float wlow = da + fh * (db - da), whigh = de + fh * (df - de);
        by_w[w] += by * (wlow + fd * (whigh - wlow));
    }
}

static void read_nearest(const float *volume, const int32_t *index, long count, float *out) {
    for (long w = 0; w < count; w++) out[w] = index[w] < 0 ? 0 : volume[index[w]];
}

/* One item of a batch: what is read, and at which positions (see ``find_positions``). */
typedef struct {
    Size in, size;
    long channels;
    const float *volume, *padded; /* (channels, in), and the same with a margin of zeros */
    const float *field;
    int relative, nearest;
} Reading;

/* One line of output voxels. With ``slope``, ``out`` is the upstream gradient. */
static void do_line(const Reading *reading, long d, long h, Corners at, float *positions,
                    float *out, float *slope) {
    Size in = reading->in, size = reading->size;
    long count = voxels(size), start = (d * size.h + h) * size.w;
    find_positions(reading->field, size, reading->relative, d, h, positions);
    if (reading->nearest)
        find_nearest(in, positions, size.w, at.base);
    else
        find_corners(in, positions, size.w, at);
    for (long axis = 0; slope && axis < 3; axis++)
        memset(slope + axis * count + start, 0, (size_t)size.w * sizeof(float));
    for (long c = 0; c < reading->channels; c++) {
        const float *padded = reading->padded + c * voxels(padded_size(in));
        float *values = out + c * count + start;
        if (slope)
            add_slopes(padded, in, at, size.w, values, slope + start, count);
        else if (reading->nearest)
            read_nearest(reading->volume + c * voxels(in), at.base, size.w, values);
        else
            read_line(padded, in, at, size.w, values);
    }
}

/* Reads volumes (batch, channels, in) at the positions of a field (batch, 3, size), see
 * ``find_positions``: out (batch, channels, size). Where there is ``slope`` (batch, 3, size), ``out``
 * is the upstream gradient and ``slope`` becomes that of the field. Scratch for padded volumes. */
void hipreg_resample(long batch, long channels, Size in, Size size, const float *volume,
                     const float *field, int relative, int nearest, float *out, float *slope,
                     float *scratch, int threads) {
    long padded = voxels(padded_size(in)), count = voxels(size);
#pragma omp parallel num_threads(threads)
    {
        int32_t base[size.w];
        float lines[12 * size.w], positions[3 * size.w];
        long w = size.w;
        Corners at = {base, lines, lines + w, lines + 2 * w, lines + 3 * w, lines + 4 * w};
        for (long b = 0; b < batch; b++) {
            const float *item = volume + b * channels * voxels(in);
            Reading reading = {in, size, channels, item, scratch, field + 3 * b * count,
                               relative, nearest};
#pragma omp for collapse(2)
            for (long c = 0; c < channels; c++)
                for (long d = 0; d < in.d + 2; d++)
                    pad_plane(item + c * voxels(in), in, d, scratch + c * padded);
#pragma omp for collapse(2)
            for (long d = 0; d < size.d; d++)
                for (long h = 0; h < size.h; h++)
                    do_line(&reading, d, h, at, positions, out + b * channels * count,
                            slope ? slope + 3 * b * count : 0);
        }
    }
}
