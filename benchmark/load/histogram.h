/*
 * Counts of nanoseconds with a relative error below 1/64: values below 64 have a bucket each, above that
 * each power of two has 64. What the buckets say is worked out by the reader (HdrHistogram).
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define SUB_BITS 6
#define SUB (1u << SUB_BITS)
static uint64_t buckets[(64 - SUB_BITS) * SUB];

static inline unsigned bucket_of(uint64_t value)
{
	if (value < SUB)
		return value;
	unsigned shift = 63 - __builtin_clzll(value) - SUB_BITS;
	return (shift << SUB_BITS) + (unsigned)(value >> shift);
}

/* The highest value of a bucket. */
static inline uint64_t highest_of(unsigned bucket)
{
	if (bucket < 2 * SUB)
		return bucket;
	unsigned shift = (bucket >> SUB_BITS) - 1;
	return ((uint64_t)((bucket & (SUB - 1)) + SUB + 1) << shift) - 1;
}

static inline void count_latency(double seconds)
{
	buckets[bucket_of(seconds > 0 ? seconds * 1e9 : 0)]++;
}

/* As if nothing had been counted. */
static inline void forget_latencies(void)
{
	memset(buckets, 0, sizeof(buckets));
}

/* As [[nanoseconds, count], …] */
static inline void print_latencies(void)
{
	const char *separator = "";
	putchar('[');
	for (unsigned i = 0; i < sizeof(buckets) / sizeof(*buckets); i++) {
		if (!buckets[i])
			continue;
		printf("%s[%lu,%lu]", separator, (unsigned long)highest_of(i), (unsigned long)buckets[i]);
		separator = ",";
	}
	putchar(']');
}
