/* Timers of MS milliseconds by liburing, COUNT at a time: how late each is. `timers COUNT MS` */
#include "../worker.h"
#include <liburing.h>

static struct io_uring ring;
static unsigned count;
static struct __kernel_timespec delay;
static double delay_seconds, *began;

static void start(unsigned i)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	io_uring_prep_timeout(sqe, &delay, 0, 0);
	sqe->user_data = i;
	began[i] = now();
}

static unsigned long work(double end)
{
	unsigned long done = 0;
	unsigned under_way = count;
	for (unsigned i = 0; i < count; i++)
		start(i);
	while (under_way) {
		struct io_uring_cqe *cqe;
		unsigned head, seen = 0;
		io_uring_submit_and_wait(&ring, 1);
		double t = now();
		io_uring_for_each_cqe(&ring, head, cqe) {
			seen++;
			done++;
			count_latency(t - began[cqe->user_data] - delay_seconds);
			if (t < end)
				start(cqe->user_data);
			else
				under_way--;
		}
		io_uring_cq_advance(&ring, seen);
	}
	return done;
}

static void tidy(void) {}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	count = atoi(argv[1]);
	delay_seconds = atof(argv[2]) / 1e3;
	delay.tv_nsec = delay_seconds * 1e9;
	began = calloc(count, sizeof(*began));
	if (io_uring_queue_init(2 * count, &ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN))
		return 1;
	serve_rounds();
	return 0;
}
