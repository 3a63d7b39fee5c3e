/* Reading volumes at positions, trilinearly or at the nearest voxel, and the derivative by position.
 *
 * Volumes are padded by one voxel of zeros and positions clamped to [-1, length], so that reading
 * outside gives 0 without a branch.
 */
#include "kernels.h"

/* The lowest corners that one line of output voxels reads, and the distances from them. */
typedef struct {
    int32_t *base;
    float *d, *h, *w;
    float *inside;  /* 1, or 0 for positions outside: they read 0 whichever way they move */
    float *corners; /* see ``fetch`` */
} Corners;

static Size padded_size(Size in) {
    Size out = {in.d + 2, in.h + 2, in.w + 2};
    return out;
}

static void pad_plane(const float *volume, Size in, long d, float *padded) {
    Size out = padded_size(in);
    float *plane = padded + d * out.h * out.w;
    memset(plane, 0, (size_t)(out.h * out.w) * sizeof(float));
    if (d == 0 || d == out.d - 1) return;
    for (long h = 0; h < in.h; h++)
        memcpy(plane + (h + 1) * out.w + 1, volume + ((d - 1) * in.h + h) * in.w,
               (size_t)in.w * sizeof(float));
}

static inline float clamped(float position, float length) {
    /* Written so that NaN becomes -1, which reads 0. */
    position = position > -1.0f ? position : -1.0f;
    return position < length ? position : length;
}

static inline float lower(float position, float length) {
    float index = floorf(position);
    return index < length - 1 ? index : length - 1;
}

/* ``field`` points to the line's first component, ``stride`` leads to the next one. */
static void find_corners(Size in, const float *field, long stride, long count, const float *origin,
                         float step, int nearest, Corners to) {
    const float *field_d = field, *field_h = field + stride, *field_w = field + 2 * stride;
    float depth = (float)in.d, height = (float)in.h, width = (float)in.w;
    int32_t row = (int32_t)in.w + 2, plane = ((int32_t)in.h + 2) * row;
    if (nearest) {
        for (long w = 0; w < count; w++) {
            int32_t d = (int32_t)rintf(clamped(field_d[w] + origin[0], depth));
            int32_t h = (int32_t)rintf(clamped(field_h[w] + origin[1], height));
            int32_t i = (int32_t)rintf(clamped(field_w[w] + step * (float)w, width));
            to.base[w] = (d + 1) * plane + (h + 1) * row + i + 1;
        }
        return;
    }
#pragma omp simd
    for (long w = 0; w < count; w++) {
        float d = field_d[w] + origin[0], h = field_h[w] + origin[1];
        float i = field_w[w] + step * (float)(int32_t)w;
        float pd = clamped(d, depth), ph = clamped(h, height), pi = clamped(i, width);
        to.inside[w] = (pd > -1) & (ph > -1) & (pi > -1) & (pd < depth) & (ph < height) &
                               (pi < width)
                           ? 1.0f
                           : 0.0f;
        float ld = lower(pd, depth), lh = lower(ph, height), li = lower(pi, width);
        to.base[w] = ((int32_t)ld + 1) * plane + ((int32_t)lh + 1) * row + (int32_t)li + 1;
        to.d[w] = pd - ld;
        to.h[w] = ph - lh;
        to.w[w] = pi - li;
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

static void read_line(const float *padded, Size in, Corners at, long count, int nearest,
                      float *out) {
    if (nearest) {
        for (long w = 0; w < count; w++) out[w] = padded[at.base[w]];
        return;
    }
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

/* Reads ``channels`` volumes of a batch at positions (relative: added to the voxel's own).
 *
 * volume (batch, channels, in), field (batch, 3, size), out (batch, channels, size); scratch for
 * channels padded volumes. With ``slope`` (batch, 3, size) instead of ``out`` being written,
 * ``out`` is the upstream gradient and ``slope`` becomes that of the positions.
 */
void hipreg_resample(long batch, long channels, Size in, Size size, const float *volume,
                     const float *field, int relative, int nearest, float *out, float *slope,
                     float *scratch, int threads) {
    long padded = voxels(padded_size(in)), count = voxels(size);
    for (long b = 0; b < batch; b++) {
#pragma omp parallel num_threads(threads)
        {
            int32_t base[size.w];
            float lines[12 * size.w];
            Corners at = {base,
                          lines,
                          lines + size.w,
                          lines + 2 * size.w,
                          lines + 3 * size.w,
                          lines + 4 * size.w};
#pragma omp for collapse(2)
            for (long c = 0; c < channels; c++)
                for (long d = 0; d < in.d + 2; d++)
                    pad_plane(volume + (b * channels + c) * voxels(in), in, d,
                              scratch + c * padded);
#pragma omp for collapse(2)
            for (long d = 0; d < size.d; d++)
                for (long h = 0; h < size.h; h++) {
                    long line = (d * size.h + h) * size.w;
                    const float *to = field + 3 * b * count + line;
                    float origin[2] = {relative ? (float)d : 0, relative ? (float)h : 0};
                    float step = relative ? 1 : 0, *by = slope ? slope + 3 * b * count + line : 0;
                    find_corners(in, to, count, size.w, origin, step, nearest, at);
                    for (long axis = 0; by && axis < 3; axis++)
                        memset(by + axis * count, 0, (size_t)size.w * sizeof(float));
                    for (long c = 0; c < channels; c++) {
                        float *line_out = out + (b * channels + c) * count + line;
                        const float *from = scratch + c * padded;
                        if (by)
                            add_slopes(from, in, at, size.w, line_out, by, count);
                        else
                            read_line(from, in, at, size.w, nearest, line_out);
                    }
                }
        }
    }
}
