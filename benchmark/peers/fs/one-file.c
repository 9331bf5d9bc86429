/*
 * Reads of one file through io_uring, so many at a time, for so many seconds.
 * `one-file FILE BLOCK AT_A_TIME SECONDS random|sequential [direct|cold]` prints one line of JSON.
 * Buffers are registered, the file is too, as a program that wants speed would have them.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

static double now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* CPU microseconds so far, in all and the kernel's. */
struct cpu { double total, system; };

static struct cpu cpu(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	double system = usage.ru_stime.tv_sec * 1e6 + usage.ru_stime.tv_usec;
	return (struct cpu){ usage.ru_utime.tv_sec * 1e6 + usage.ru_utime.tv_usec + system, system };
}

static void die(const char *what, int error)
{
	fprintf(stderr, "%s: %s\n", what, strerror(error));
	exit(1);
}

int main(int argc, char **argv)
{
	if (argc < 6)
		die("usage: one-file FILE BLOCK AT_A_TIME SECONDS random|sequential [direct]", EINVAL);
	size_t block = strtoul(argv[2], NULL, 10);
	unsigned depth = strtoul(argv[3], NULL, 10);
	int is_random = strcmp(argv[5], "random") == 0;
	/* A cold file is read once, as it is warm then. */
	int is_cold = argc > 6 && strcmp(argv[6], "cold") == 0;
	int flags = O_RDONLY | (argc > 6 && strcmp(argv[6], "direct") == 0 ? O_DIRECT : 0);
	int fd = open(argv[1], flags);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		die(argv[1], errno);
	unsigned long blocks = st.st_size / block;

	struct io_uring ring;
	int failed = io_uring_queue_init(depth, &ring, IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SINGLE_ISSUER);
	if (failed < 0)
		die("io_uring_queue_init", -failed);
	char *memory;
	if (posix_memalign((void **)&memory, 4096, block * depth))
		die("posix_memalign", ENOMEM);
	memset(memory, 1, block * depth);
	struct iovec iov = { .iov_base = memory, .iov_len = block * depth };
	if ((failed = io_uring_register_buffers(&ring, &iov, 1)) < 0)
		die("io_uring_register_buffers", -failed);
	if ((failed = io_uring_register_files(&ring, &fd, 1)) < 0)
		die("io_uring_register_files", -failed);

	unsigned long next = 0, ops = 0;
	unsigned in_flight = 0, free_slots[depth], free_count = depth;
	for (unsigned i = 0; i < depth; i++)
		free_slots[i] = i;
	struct cpu before = cpu();
	double began = now(), end = began + atof(argv[4]);
	for (int over = 0; !over || in_flight;) {
		while (!over && free_count) {
			unsigned slot = free_slots[--free_count];
			unsigned long at = is_random ? rand() % blocks : next++ % blocks;
			struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
			io_uring_prep_read_fixed(sqe, 0, memory + slot * block, block, at * block, 0);
			sqe->flags |= IOSQE_FIXED_FILE;
			io_uring_sqe_set_data64(sqe, slot);
			in_flight++;
		}
		io_uring_submit_and_wait(&ring, 1);
		struct io_uring_cqe *cqe;
		unsigned head, seen = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			if (cqe->res != (int)block)
				die("read", cqe->res < 0 ? -cqe->res : EIO);
			free_slots[free_count++] = cqe->user_data;
			seen++;
		}
		io_uring_cq_advance(&ring, seen);
		in_flight -= seen;
		ops += seen;
		over = now() >= end || (is_cold && ops >= blocks);
	}
	struct cpu after = cpu();
	printf("{\"ops\":%lu,\"seconds\":%.6f,\"cpu\":%.0f,\"system\":%.0f,\"resident\":0,\"latencies\":[]}\n", ops,
	       now() - began, after.total - before.total, after.system - before.system);
	return 0;
}
