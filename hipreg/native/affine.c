/* Reading images and their labels where affine maps send the voxels of a result.
 *
 * One thread does one item. It copies it first, with a margin of zeros, so that positions clamped
 * to [-1, length] read 0 outside without a branch. The copy pays twice: sides are powers of two,
 * and voxels above one another would all compete for the same lines of the cache.
 */
#include "padded.h"

#define GROUP 16

/* The two voxels along W at each of half a group of positions, and a value of each of a group. */
typedef double Pairs __attribute__((vector_size(64)));
typedef float Values __attribute__((vector_size(64)));
typedef int32_t Lanes __attribute__((vector_size(64)));

#ifdef __clang__
#define SHUFFLED(first, second, ...) __builtin_shufflevector(first, second, __VA_ARGS__)
#else
#define SHUFFLED(first, second, ...) __builtin_shuffle(first, second, (Lanes){__VA_ARGS__})
#endif
#define TWICE(x, i) \
    SHUFFLED(x, x, i, i, i + 1, i + 1, i + 2, i + 2, i + 3, i + 3, i + 4, i + 4, i + 5, i + 5, \
             i + 6, i + 6, i + 7, i + 7)
#define EVERY_OTHER(x, y, i) \
    SHUFFLED(x, y, i, i + 2, i + 4, i + 6, i + 8, i + 10, i + 12, i + 14, i + 16, i + 18, i + 20, \
             i + 22, i + 24, i + 26, i + 28, i + 30)

/* What one line of the result reads. */
typedef struct {
    int32_t *base, *nearest; /* the lowest corner and the nearest voxel, in the copy */
    float *d, *h, *w;        /* distances from that corner */
} Reach;

/* Bytes of scratch for each thread: a copy of an image and one of its labels. */
long hipreg_resample_affine_scratch(Size in) {
    return voxels(padded_size(in)) * (long)(sizeof(float) + sizeof(uint8_t)) / 64 * 64 + 64;
}

/* Into the middle of ``padded``, whose margin is 0 already. */
static void pad(const void *volume, Size in, size_t bytes, void *padded) {
    Size out = padded_size(in);
    for (long d = 0; d < in.d; d++)
        for (long h = 0; h < in.h; h++)
            memcpy((char *)padded + (size_t)(((d + 1) * out.h + h + 1) * out.w + 1) * bytes,
                   (const char *)volume + (size_t)((d * in.h + h) * in.w) * bytes,
                   (size_t)in.w * bytes);
}

/* Along the line (d, h, :) of a result under ``map``, three rows of four. */
static void find_line(const float *map, long d, long h, long count, Size in, Reach to) {
    float depth = (float)in.d, height = (float)in.h, width = (float)in.w, origin[3];
    int32_t row = (int32_t)in.w + 2, plane = ((int32_t)in.h + 2) * row, first = plane + row + 1;
    for (long axis = 0; axis < 3; axis++, map += 4)
        origin[axis] = map[3] + map[0] * (float)d + map[1] * (float)h;
    float by_d = map[-10], by_h = map[-6], by_w = map[-2];
#pragma omp simd
    for (long w = 0; w < count; w++) {
        float at = (float)(int32_t)w;
        float pd = clamped(origin[0] + by_d * at, depth);
        float ph = clamped(origin[1] + by_h * at, height);
        float pw = clamped(origin[2] + by_w * at, width);
        float ld = lower(pd, depth), lh = lower(ph, height), lw = lower(pw, width);
        to.base[w] = (int32_t)ld * plane + (int32_t)lh * row + (int32_t)lw + first;
        to.nearest[w] = (int32_t)rintf(pd) * plane + (int32_t)rintf(ph) * row +
                        (int32_t)rintf(pw) + first;
        to.d[w] = pd - ld;
        to.h[w] = ph - lh;
        to.w[w] = pw - lw;
    }
}

static inline double pair_at(const float *volume) {
    double pair;
    memcpy(&pair, volume, sizeof(pair));
    return pair;
}

static inline Values fetch(const float *volume, const int32_t *base) {
    Pairs pairs = {pair_at(volume + base[0]), pair_at(volume + base[1]), pair_at(volume + base[2]),
                   pair_at(volume + base[3]), pair_at(volume + base[4]), pair_at(volume + base[5]),
                   pair_at(volume + base[6]), pair_at(volume + base[7])};
    return (Values)pairs;
}

static inline Values load(const float *from) {
    Values values;
    memcpy(&values, from, sizeof(values));
    return values;
}

/* Half a group between its corners along D and H; ``fd`` and ``fh`` hold each distance twice. */
static inline Values between(const float *padded, long row, long plane, const int32_t *base,
                             Values fd, Values fh) {
    Values a = fetch(padded, base), b = fetch(padded + row, base);
    Values e = fetch(padded + plane, base), f = fetch(padded + plane + row, base);
    Values low = a + fh * (b - a), high = e + fh * (f - e);
    return low + fd * (high - low);
}

/* ``count`` positions, of whole groups; writes the first ``wanted``. */
static void read_line(const float *padded, Size in, Reach at, long count, long wanted,
                      float *out) {
    long row = in.w + 2, plane = (in.h + 2) * row;
    for (long w = 0; w < count; w += GROUP) {
        Values fd = load(at.d + w), fh = load(at.h + w), fw = load(at.w + w);
        Values left = between(padded, row, plane, at.base + w, TWICE(fd, 0), TWICE(fh, 0));
        Values right = between(padded, row, plane, at.base + w + GROUP / 2, TWICE(fd, 8),
                               TWICE(fh, 8));
        Values first = EVERY_OTHER(left, right, 0), second = EVERY_OTHER(left, right, 1);
        Values values = first + fw * (second - first);
        size_t left_over = (size_t)(wanted - w) * sizeof(float);
        memcpy(out + w, &values, left_over < sizeof(values) ? left_over : sizeof(values));
    }
}

static void read_labels(const uint8_t *padded, Reach at, long wanted, uint8_t *out) {
    for (long w = 0; w < wanted; w++) out[w] = padded[at.nearest[w]];
}

/* One item under one map. ``labels`` may be NULL, and ``image`` too. */
static void do_item(const float *image, const uint8_t *labels, Size in, Size size,
                    const float *map, float *out, uint8_t *out_labels) {
    long count = (size.w + GROUP - 1) / GROUP * GROUP;
    int32_t indices[2 * count];
    float lines[3 * count];
    Reach at = {indices, indices + count, lines, lines + count, lines + 2 * count};
    for (long d = 0; d < size.d; d++)
        for (long h = 0; h < size.h; h++) {
            long start = (d * size.h + h) * size.w;
            find_line(map, d, h, count, in, at);
            if (image) read_line(image, in, at, count, size.w, out + start);
            if (labels) read_labels(labels, at, size.w, out_labels + start);
        }
}

/* Reads items of images (items, channels, in), linearly, and of labels (items, layers, in), at the
 * nearest voxel, where maps (batch, 3, 4) send voxels: out (batch, channels, size) and out_labels
 * (batch, layers, size) are of the items at rows (batch). Outside both are 0. */
void hipreg_resample_affine(long batch, long channels, long layers, Size in, Size size,
                            const float *images, const uint8_t *labels, const int64_t *rows,
                            const float *maps, float *out, uint8_t *out_labels, char *scratch,
                            int threads) {
    long from = voxels(in), to = voxels(size), most = channels > layers ? channels : layers;
    long each = hipreg_resample_affine_scratch(in);
#pragma omp parallel num_threads(threads)
    {
        float *image = (float *)(scratch + thread_rank() * each);
        uint8_t *label = (uint8_t *)(image + voxels(padded_size(in)));
        memset(image, 0, (size_t)each);
#pragma omp for collapse(2)
        for (long b = 0; b < batch; b++)
            for (long c = 0; c < most; c++) {
                long channel = b * channels + c, layer = b * layers + c;
                int has_image = c < channels, has_labels = c < layers;
                if (has_image)
                    pad(images + (rows[b] * channels + c) * from, in, sizeof(float), image);
                if (has_labels)
                    pad(labels + (rows[b] * layers + c) * from, in, sizeof(uint8_t), label);
                do_item(has_image ? image : 0, has_labels ? label : 0, in, size, maps + 12 * b,
                        out + channel * to, out_labels + layer * to);
            }
    }
}
