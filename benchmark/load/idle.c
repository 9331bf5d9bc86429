/*
 * Idle connections: opens `conns`, makes one round trip of `size` bytes on each, so that the server has
 * surely seen it, and says so by one line of JSON. Then it keeps them until its standard input ends.
 *
 *   idle HOST PORT CONNS SIZE
 */
#include "client.h"

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: idle HOST PORT CONNS SIZE\n");
		return 2;
	}
	raise_nofile();
	struct sockaddr_in addr = address_of(argv[1], argv[2]);
	unsigned nconns = atoi(argv[3]), corrupt = 0;
	size_t size = strtoul(argv[4], NULL, 10);
	unsigned char *message = malloc(size), *in = malloc(size);
	for (size_t i = 0; i < size; i++)
		message[i] = i * 7 + 1;
	struct timeval patience = { .tv_sec = grace() };
	double start = begin();
	for (unsigned i = 0; i < nconns; i++) {
		double began = now();
		int fd = connect_to(&addr, 0);
		close_with_reset(fd);
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		if (send(fd, message, size, MSG_NOSIGNAL) != (ssize_t)size)
			transfer_failed("send");
		ssize_t got = recv(fd, in, size, MSG_WAITALL);
		if (got < 0)
			transfer_failed("recv");
		corrupt += got != (ssize_t)size || memcmp(in, message, size);
		count_latency(now() - began);
	}
	print_counts((struct counts){ .ops = nconns, .seconds = now() - start, .corrupt = corrupt });
	while (read(0, in, size) > 0)
		;
	return corrupt != 0;
}
