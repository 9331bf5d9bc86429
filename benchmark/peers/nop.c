/* The peer of the Ring's NOPs: liburing in C. `nop BATCH OPS` prints the CPU nanoseconds of each. */
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static double cpu(void)
{
	struct rusage ru;
	getrusage(RUSAGE_SELF, &ru);
	return ru.ru_utime.tv_sec + ru.ru_stime.tv_sec + (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
	unsigned batch = argc > 1 ? atoi(argv[1]) : 64;
	long ops = argc > 2 ? atol(argv[2]) : 2000000, done = 0;
	struct io_uring ring;
	if (io_uring_queue_init(batch, &ring, 0))
		return 1;
	double start = cpu();
	while (done < ops) {
		for (unsigned i = 0; i < batch; i++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
			io_uring_prep_nop(sqe);
			sqe->user_data = i;
		}
		io_uring_submit(&ring);
		struct io_uring_cqe *cqe;
		unsigned head, seen = 0;
		io_uring_for_each_cqe(&ring, head, cqe)
			seen++;
		io_uring_cq_advance(&ring, seen);
		done += seen;
	}
	printf("%.1f\n", (cpu() - start) * 1e9 / done);
	return 0;
}
