/* NOPs by liburing, in batches on a ring of that size. `nop BATCH` */
#include "../worker.h"
#include <liburing.h>

static struct io_uring ring;
static unsigned batch;

static unsigned long work(double end)
{
	unsigned long done = 0;
	do {
		/* The clock is looked at once in 64 K operations. */
		for (unsigned long until = done + 65536; done < until;) {
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
	} while (now() < end);
	return done;
}

static void tidy(void) {}

int main(int argc, char **argv)
{
	batch = argc > 1 ? atoi(argv[1]) : 64;
	if (io_uring_queue_init(batch, &ring, 0))
		return 1;
	serve_rounds();
	return 0;
}
