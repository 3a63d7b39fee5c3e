/* Displacements from spatial gradients: upsampling, and a running sum along each component's axis.
 *
 * Upsampling reads two neighbours on each axis; ``Taps`` says which and how much of the second.
 */
#include "kernels.h"

typedef struct {
    long from, to;
    const int32_t *first;
    const float *share; /* of the neighbour after ``first`` */
} Taps;

static inline long second_of(Taps taps, long i) {
    long next = taps.first[i] + 1;
    return next < taps.from ? next : taps.from - 1;
}

/* Lines of length ``line``: each of the ``to`` results is made of two of the ``from`` sources; with
 * ``sums`` also of all results before it. */
static void widen(Taps taps, long line, int sums, const float *from, float *to) {
    for (long i = 0; i < taps.to; i++) {
        const float *a = from + taps.first[i] * line, *b = from + second_of(taps, i) * line;
        float part = taps.share[i], rest = 1 - part, *out = to + i * line;
#pragma omp simd
        for (long j = 0; j < line; j++) out[j] = rest * a[j] + part * b[j];
        if (sums && i)
#pragma omp simd
            for (long j = 0; j < line; j++) out[j] += out[j - line];
    }
}

/* The adjoint of ``widen``; ``running`` holds one line and is used with ``sums``. */
static void narrow(Taps taps, long line, int sums, const float *from, float *to, float *running) {
    memset(to, 0, (size_t)(taps.from * line) * sizeof(float));
    memset(running, 0, (size_t)line * sizeof(float));
    for (long i = taps.to - 1; i >= 0; i--) {
        const float *in = from + i * line;
        float *a = to + taps.first[i] * line, *b = to + second_of(taps, i) * line;
        float part = taps.share[i], rest = 1 - part;
        if (sums) {
#pragma omp simd
            for (long j = 0; j < line; j++) running[j] += in[j];
            in = running;
        }
        for (long j = 0; j < line; j++) a[j] += rest * in[j];
        if (part != 0)
            for (long j = 0; j < line; j++) b[j] += part * in[j];
    }
}

static void component(Taps d, Taps h, Taps w, long axis, const float *gradient, float *rows,
                      float *planes, float *out) {
    for (long i = 0; i < d.from * h.from; i++)
        widen(w, 1, axis == 2, gradient + i * w.from, rows + i * w.to);
    for (long i = 0; i < d.from; i++)
        widen(h, w.to, axis == 1, rows + i * h.from * w.to, planes + i * h.to * w.to);
    widen(d, h.to * w.to, axis == 0, planes, out);
}

static void component_slope(Taps d, Taps h, Taps w, long axis, const float *upstream, float *rows,
                            float *planes, float *running, float *out) {
    narrow(d, h.to * w.to, axis == 0, upstream, planes, running);
    for (long i = 0; i < d.from; i++)
        narrow(h, w.to, axis == 1, planes + i * h.to * w.to, rows + i * h.from * w.to, running);
    for (long i = 0; i < d.from * h.from; i++)
        narrow(w, 1, axis == 2, rows + i * w.to, out + i * w.from, running);
}

static long scratch_of(Size in, Size size) {
    return in.d * in.h * size.w + in.d * size.h * size.w + size.h * size.w;
}

/* Floats of scratch that ``hipreg_integrate`` needs. */
long hipreg_integrate_scratch(Size in, Size size, int threads) {
    return scratch_of(in, size) * threads;
}

/* Twice the running sums of upsampled gradients (batch, 3, in), each along its own axis: full
 * (batch, 3, size). With ``adjoint``, gradients from full instead. ``first`` and ``share`` hold
 * the taps of D, H and W one after the other. */
void hipreg_integrate(long batch, Size in, Size size, const int32_t *first, const float *share,
                      float *gradients, float *full, int adjoint, float *scratch, int threads) {
    Taps d = {in.d, size.d, first, share}, h = {in.h, size.h, first + size.d, share + size.d};
    Taps w = {in.w, size.w, first + size.d + size.h, share + size.d + size.h};
    long few = voxels(in), many = voxels(size);
#pragma omp parallel for num_threads(threads)
    for (long i = 0; i < 3 * batch; i++) {
        float *rows = scratch + thread_rank() * scratch_of(in, size);
        float *planes = rows + in.d * in.h * size.w, *running = planes + in.d * size.h * size.w;
        float *to = adjoint ? gradients + i * few : full + i * many;
        if (adjoint)
            component_slope(d, h, w, i % 3, full + i * many, rows, planes, running, to);
        else
            component(d, h, w, i % 3, gradients + i * few, rows, planes, to);
        for (long j = 0; j < (adjoint ? few : many); j++) to[j] *= 2;
    }
}
