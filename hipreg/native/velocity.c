/* Reading volumes whose channels lie side by side at displaced positions, with the derivative by
 * the volume and by the displacement, and what is made of it: scaling and squaring.
 *
 * Positions beyond the volume read the nearest voxel of its border, and have no derivative there.
 * One item of a batch is done by one thread, so that sums do not depend on how many there are.
 */
#include "kernels.h"

/* The eight voxels around a position, their weights, and what the weights are made of. */
typedef struct {
    long at[8];
    float by[8];
    float d, h, w;      /* distances from the lowest corner */
    float inside[3];    /* 1, or 0 where the position is beyond the volume along this axis */
} Corners;

static inline void find_axis(float position, long length, long stride, long *low, long *step,
                             float *share, float *inside) {
    float last = (float)(length - 1);
    /* Written so that NaN becomes 0. */
    float clamped = position > 0 ? position : 0;
    clamped = clamped < last ? clamped : last;
    float floor = (float)(int32_t)clamped;
    *inside = (position >= 0) & (position <= last) ? 1.0f : 0.0f;
    *share = clamped - floor;
    *low = (long)floor * stride;
    *step = floor < last ? stride : 0;
}

static inline void find_corners(Size size, float pd, float ph, float pw, Corners *to) {
    long d, h, w, next_d, next_h, next_w;
    find_axis(pd, size.d, size.h * size.w, &d, &next_d, &to->d, &to->inside[0]);
    find_axis(ph, size.h, size.w, &h, &next_h, &to->h, &to->inside[1]);
    find_axis(pw, size.w, 1, &w, &next_w, &to->w, &to->inside[2]);
    for (long k = 0; k < 8; k++) {
        to->at[k] = d + (k & 4 ? next_d : 0) + h + (k & 2 ? next_h : 0) + w + (k & 1 ? next_w : 0);
        to->by[k] = (k & 4 ? to->d : 1 - to->d) * (k & 2 ? to->h : 1 - to->h) *
                    (k & 1 ? to->w : 1 - to->w);
    }
}

static inline void read_at(const Corners *at, const float *volume, long channels, float *out) {
    const float *from[8];
    for (long k = 0; k < 8; k++) from[k] = volume + at->at[k] * channels;
#pragma omp simd
    for (long c = 0; c < channels; c++) {
        float low = at->by[0] * from[0][c] + at->by[1] * from[1][c] + at->by[2] * from[2][c] +
                    at->by[3] * from[3][c];
        float high = at->by[4] * from[4][c] + at->by[5] * from[5][c] + at->by[6] * from[6][c] +
                     at->by[7] * from[7][c];
        out[c] = low + high;
    }
}

/* Adds the derivative by the volume, and sets that by the position, of upstream times what
 * ``read_at`` reads. */
static inline void add_slopes(const Corners *at, const float *volume, long channels,
                              const float *upstream, float *by_volume, float *by_position) {
    float value[8];
    for (long k = 0; k < 8; k++) {
        const float *from = volume + at->at[k] * channels;
        float *to = by_volume + at->at[k] * channels, weight = at->by[k], sum = 0;
#pragma omp simd reduction(+ : sum)
        for (long c = 0; c < channels; c++) {
            sum += from[c] * upstream[c];
            to[c] += weight * upstream[c];
        }
        value[k] = sum;
    }
    float d = at->d, h = at->h, w = at->w;
    float low[4], across[4]; /* along W: the value between the corners, and their difference */
    for (long k = 0; k < 4; k++) {
        across[k] = value[2 * k + 1] - value[2 * k];
        low[k] = value[2 * k] + w * across[k];
    }
    by_position[0] = at->inside[0] * ((1 - h) * (low[2] - low[0]) + h * (low[3] - low[1]));
    by_position[1] = at->inside[1] * ((1 - d) * (low[1] - low[0]) + d * (low[3] - low[2]));
    by_position[2] = at->inside[2] * ((1 - d) * ((1 - h) * across[0] + h * across[1]) +
                                      d * ((1 - h) * across[2] + h * across[3]));
}

/* Reads volume (batch, size, channels) at each voxel's place plus displacement (batch, 3, size):
 * out (batch, size, channels). */
void hipreg_read_displaced(long batch, long channels, Size size, const float *volume,
                           const float *displacement, float *out, int threads) {
    long count = voxels(size);
#pragma omp parallel for collapse(2) num_threads(threads)
    for (long b = 0; b < batch; b++)
        for (long d = 0; d < size.d; d++) {
            const float *u = displacement + 3 * b * count, *from = volume + b * count * channels;
            long x = d * size.h * size.w;
            for (long h = 0; h < size.h; h++)
                for (long w = 0; w < size.w; w++, x++) {
                    Corners at;
                    find_corners(size, (float)d + u[x], (float)h + u[count + x],
                                 (float)w + u[2 * count + x], &at);
                    read_at(&at, from, channels, out + (b * count + x) * channels);
                }
        }
}

/* From upstream (batch, size, channels) the derivative by the volume, which is 0 at the start, and
 * by the displacement. */
void hipreg_read_displaced_slope(long batch, long channels, Size size, const float *volume,
                                 const float *displacement, const float *upstream,
                                 float *by_volume, float *by_displacement, int threads) {
    long count = voxels(size);
#pragma omp parallel for num_threads(threads)
    for (long b = 0; b < batch; b++) {
        const float *u = displacement + 3 * b * count, *from = volume + b * count * channels;
        const float *up = upstream + b * count * channels;
        float *to = by_volume + b * count * channels, *slope = by_displacement + 3 * b * count;
        for (long d = 0, x = 0; d < size.d; d++)
            for (long h = 0; h < size.h; h++)
                for (long w = 0; w < size.w; w++, x++) {
                    Corners at;
                    float by_position[3];
                    find_corners(size, (float)d + u[x], (float)h + u[count + x],
                                 (float)w + u[2 * count + x], &at);
                    add_slopes(&at, from, channels, up + x * channels, to, by_position);
                    for (long axis = 0; axis < 3; axis++)
                        slope[axis * count + x] = by_position[axis];
                }
    }
}

/* Displacements have a fourth component of 0 here, which keeps each in one register. */
enum { WIDE = 4 };

static void widen(const float *planar, long count, float scale, float *wide) {
    for (long x = 0; x < count; x++) {
        for (long c = 0; c < 3; c++) wide[WIDE * x + c] = scale * planar[c * count + x];
        wide[WIDE * x + 3] = 0;
    }
}

static void narrow(const float *wide, long count, float scale, float *planar) {
    for (long c = 0; c < 3; c++)
        for (long x = 0; x < count; x++) planar[c * count + x] = scale * wide[WIDE * x + c];
}

/* The displacement of going along ``u`` twice. */
static void square(Size size, const float *u, float *out) {
    for (long d = 0, x = 0; d < size.d; d++)
        for (long h = 0; h < size.h; h++)
            for (long w = 0; w < size.w; w++, x++) {
                Corners at;
                const float *here = u + WIDE * x;
                find_corners(size, (float)d + here[0], (float)h + here[1], (float)w + here[2], &at);
                read_at(&at, u, WIDE, out + WIDE * x);
                for (long c = 0; c < WIDE; c++) out[WIDE * x + c] += here[c];
            }
}

/* From the derivative by the result of ``square`` that by ``u``. */
static void square_slope(Size size, const float *u, const float *upstream, float *slope) {
    memcpy(slope, upstream, (size_t)(WIDE * voxels(size)) * sizeof(float));
    for (long d = 0, x = 0; d < size.d; d++)
        for (long h = 0; h < size.h; h++)
            for (long w = 0; w < size.w; w++, x++) {
                Corners at;
                float by_position[3];
                const float *here = u + WIDE * x;
                find_corners(size, (float)d + here[0], (float)h + here[1], (float)w + here[2], &at);
                add_slopes(&at, u, WIDE, upstream + WIDE * x, slope, by_position);
                for (long c = 0; c < 3; c++) slope[WIDE * x + c] += by_position[c];
            }
}

/* Floats of ``states`` for ``hipreg_exponential`` with its derivative to come, and of the scratch
 * of that. */
long hipreg_exponential_states(long batch, Size size, long squarings) {
    return batch * (squarings + 1) * WIDE * voxels(size);
}

long hipreg_exponential_scratch(long batch, Size size) { return batch * 2 * WIDE * voxels(size); }

/* Displacements (batch, 3, size) from velocities by scaling and squaring, in voxels of this grid;
 * every stage is left in ``states``. */
void hipreg_exponential(long batch, Size size, long squarings, const float *velocity,
                        float *states, float *out, int threads) {
    long count = voxels(size), stage = WIDE * count;
#pragma omp parallel for num_threads(threads)
    for (long b = 0; b < batch; b++) {
        float *first = states + b * (squarings + 1) * stage;
        widen(velocity + 3 * b * count, count, ldexpf(1, (int)-squarings), first);
        for (long k = 0; k < squarings; k++)
            square(size, first + k * stage, first + (k + 1) * stage);
        narrow(first + squarings * stage, count, 1, out + 3 * b * count);
    }
}

/* From the derivative by the displacements that by the velocities. */
void hipreg_exponential_slope(long batch, Size size, long squarings, const float *states,
                              const float *upstream, float *slope, float *scratch, int threads) {
    long count = voxels(size), stage = WIDE * count;
#pragma omp parallel for num_threads(threads)
    for (long b = 0; b < batch; b++) {
        const float *first = states + b * (squarings + 1) * stage;
        float *now = scratch + 2 * b * stage, *next = now + stage;
        widen(upstream + 3 * b * count, count, 1, now);
        for (long k = squarings - 1; k >= 0; k--) {
            square_slope(size, first + k * stage, now, next);
            float *swapped = now;
            now = next;
            next = swapped;
        }
        narrow(now, count, ldexpf(1, (int)-squarings), slope + 3 * b * count);
    }
}
