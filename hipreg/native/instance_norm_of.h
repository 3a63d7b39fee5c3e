/* The passes over memory of one type: VALUE, with LOAD to float, STORE from it, and NAME. */

static void NAME(moments)(const VALUE *x, long count, long channels, const VALUE *shift,
                          double *sums) {
    long lanes = side_by_side(channels), total = count * channels, i = 0;
    float first[lanes], second[lanes], from[lanes];
    for (long j = 0; j < lanes; j++) {
        first[j] = second[j] = 0;
        from[j] = LOAD(shift[j % channels]);
    }
    for (; i < total; i += lanes) {
        long width = total - i < lanes ? total - i : lanes;
#pragma omp simd
        for (long j = 0; j < width; j++) {
            float value = LOAD(x[i + j]) - from[j];
            first[j] += value;
            second[j] += value * value;
        }
    }
    fold(first, second, lanes, channels, sums);
}

/* x = slope-activated (x * scale + offset) */
static void NAME(activate)(VALUE *x, long count, long channels, const float *scale,
                           const float *offset, float slope) {
    long lanes = side_by_side(channels), total = count * channels;
    float by[lanes], plus[lanes];
    for (long j = 0; j < lanes; j++) {
        by[j] = scale[j % channels];
        plus[j] = offset[j % channels];
    }
    for (long i = 0; i < total; i += lanes) {
        long width = total - i < lanes ? total - i : lanes;
#pragma omp simd
        for (long j = 0; j < width; j++) {
            float value = LOAD(x[i + j]) * by[j] + plus[j];
            x[i + j] = STORE(value > 0 ? value : value * slope);
        }
    }
}

/* x (batch, voxels, channels) becomes the result, inverse (batch, channels) 1 / its deviation. */
void NAME(hipreg_instance_norm)(long batch, long voxels, long channels, float epsilon, float slope,
                                VALUE *x, float *inverse, double *scratch, int threads) {
    long blocks = blocks_of(voxels), sample = voxels * channels;
    double *totals = scratch + batch * blocks * 2 * channels;
#pragma omp parallel num_threads(threads)
    {
        float scale[channels], offset[channels];
#pragma omp for collapse(2)
        for (long b = 0; b < batch; b++)
            for (long k = 0; k < blocks; k++) {
                long start = k * BLOCK, count = voxels - start < BLOCK ? voxels - start : BLOCK;
                NAME(moments)(x + b * sample + start * channels, count, channels, x + b * sample,
                        scratch + (b * blocks + k) * 2 * channels);
            }
#pragma omp for
        for (long b = 0; b < batch; b++) {
            double *sums = totals + b * 2 * channels;
            gather(scratch + b * blocks * 2 * channels, blocks, channels, sums);
            for (long c = 0; c < channels; c++) {
                double mean = sums[c] / (double)voxels;
                double variance = sums[channels + c] / (double)voxels - mean * mean;
                inverse[b * channels + c] =
                    (float)(1 / sqrt((variance > 0 ? variance : 0) + (double)epsilon));
                sums[c] = mean + (double)LOAD(x[b * sample + c]);
            }
        }
#pragma omp for collapse(2)
        for (long b = 0; b < batch; b++)
            for (long k = 0; k < blocks; k++) {
                long start = k * BLOCK, count = voxels - start < BLOCK ? voxels - start : BLOCK;
                for (long c = 0; c < channels; c++) {
                    scale[c] = inverse[b * channels + c];
                    offset[c] = (float)(-totals[b * 2 * channels + c] * (double)scale[c]);
                }
                NAME(activate)(x + b * sample + start * channels, count, channels, scale, offset,
                               slope);
            }
    }
}

/* Sums over a block of the slope past the activation, and of its product with the normalised x. */
static void NAME(slope_moments)(const VALUE *y, const VALUE *upstream, long count, long channels,
                          float slope, double *sums) {
    long lanes = side_by_side(channels), total = count * channels;
    float first[lanes], second[lanes], undo = 1 / slope;
    for (long j = 0; j < lanes; j++) first[j] = second[j] = 0;
    for (long i = 0; i < total; i += lanes) {
        long width = total - i < lanes ? total - i : lanes;
#pragma omp simd
        for (long j = 0; j < width; j++) {
            float out = LOAD(y[i + j]), by = LOAD(upstream[i + j]);
            by = out > 0 ? by : by * slope;
            first[j] += by;
            second[j] += by * (out > 0 ? out : out * undo);
        }
    }
    fold(first, second, lanes, channels, sums);
}

static void NAME(slopes)(const VALUE *y, const VALUE *upstream, long count, long channels,
                         float slope, const float *scale, const float *mean, const float *along,
                         VALUE *out) {
    long lanes = side_by_side(channels), total = count * channels;
    float by[lanes], less[lanes], less_along[lanes], undo = 1 / slope;
    for (long j = 0; j < lanes; j++) {
        by[j] = scale[j % channels];
        less[j] = mean[j % channels];
        less_along[j] = along[j % channels];
    }
    for (long i = 0; i < total; i += lanes) {
        long width = total - i < lanes ? total - i : lanes;
#pragma omp simd
        for (long j = 0; j < width; j++) {
            float value = LOAD(y[i + j]), g = LOAD(upstream[i + j]);
            g = value > 0 ? g : g * slope;
            value = value > 0 ? value : value * undo;
            out[i + j] = STORE(by[j] * (g - less[j] - value * less_along[j]));
        }
    }
}

/* The gradient of x from that of the result y; all (batch, voxels, channels). */
void NAME(hipreg_instance_norm_slope)(long batch, long voxels, long channels, float slope,
                                const VALUE *y, const VALUE *upstream, const float *inverse,
                                VALUE *out, double *scratch, int threads) {
    long blocks = blocks_of(voxels), sample = voxels * channels;
    double *totals = scratch + batch * blocks * 2 * channels;
#pragma omp parallel num_threads(threads)
    {
        float mean[channels], along[channels];
#pragma omp for collapse(2)
        for (long b = 0; b < batch; b++)
            for (long k = 0; k < blocks; k++) {
                long start = k * BLOCK, count = voxels - start < BLOCK ? voxels - start : BLOCK;
                long at = b * sample + start * channels;
                NAME(slope_moments)(y + at, upstream + at, count, channels, slope,
                              scratch + (b * blocks + k) * 2 * channels);
            }
#pragma omp for
        for (long b = 0; b < batch; b++)
            gather(scratch + b * blocks * 2 * channels, blocks, channels,
                   totals + b * 2 * channels);
#pragma omp for collapse(2)
        for (long b = 0; b < batch; b++)
            for (long k = 0; k < blocks; k++) {
                long start = k * BLOCK, count = voxels - start < BLOCK ? voxels - start : BLOCK;
                long at = b * sample + start * channels;
                for (long c = 0; c < channels; c++) {
                    mean[c] = (float)(totals[b * 2 * channels + c] / (double)voxels);
                    along[c] = (float)(totals[(b * 2 + 1) * channels + c] / (double)voxels);
                }
                NAME(slopes)(y + at, upstream + at, count, channels, slope, inverse + b * channels,
                       mean, along, out + at);
            }
    }
}
