/*
 * A peer that does work itself: for each line on its standard input, a number of seconds, it works for so
 * long and prints what it did as one line of JSON. Include this and define `work`.
 */
#define _GNU_SOURCE
#include "../load/clock.h"
#include "../load/histogram.h"
#include <sys/resource.h>

/* Works until `now() >= end`; returns the number of operations. */
static unsigned long work(double end);
/* After a round, outside its account: removes what was made. */
static void tidy(void);

static inline double microseconds(struct timeval t)
{
	return t.tv_sec * 1e6 + t.tv_usec;
}

static inline void serve_rounds(void)
{
	double seconds;
	while (scanf("%lf", &seconds) == 1) {
		struct rusage before, after;
		getrusage(RUSAGE_SELF, &before);
		double began = now();
		unsigned long ops = work(began + seconds);
		double took = now() - began;
		getrusage(RUSAGE_SELF, &after);
		double system = microseconds(after.ru_stime) - microseconds(before.ru_stime);
		double user = microseconds(after.ru_utime) - microseconds(before.ru_utime);
		tidy();
		printf("{\"ops\":%lu,\"seconds\":%.6f,\"cpu\":%.0f,\"system\":%.0f,\"latencies\":", ops, took, user + system,
		       system);
		print_latencies();
		printf("}\n");
		fflush(stdout);
		for (unsigned i = 0; i < sizeof(buckets) / sizeof(*buckets); i++)
			buckets[i] = 0;
	}
}
