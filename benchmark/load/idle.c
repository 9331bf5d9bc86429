/*
 * Idle connections: opens `conns`, makes one round trip of `size` bytes on each, so that the server has
 * surely seen it, and says so by one line of JSON. Then it keeps them until its standard input ends.
 * With REQUEST it sends that instead, and expects an answer of HTTP, of SIZE bytes at most.
 *
 *   idle HOST PORT CONNS SIZE [REQUEST]
 */
#include "client.h"

int main(int argc, char **argv)
{
	if (argc != 5 && argc != 6) {
		fprintf(stderr, "usage: idle HOST PORT CONNS SIZE [REQUEST]\n");
		return 2;
	}
	raise_nofile();
	struct sockaddr_in addr = address_of(argv[1], argv[2]);
	unsigned nconns = atoi(argv[3]), corrupt = 0;
	size_t size = strtoul(argv[4], NULL, 10);
	const char *request = argc > 5 ? argv[5] : NULL;
	unsigned char *message = malloc(size), *in = malloc(size);
	for (size_t i = 0; i < size; i++)
		message[i] = i * 7 + 1;
	ssize_t length = request ? strlen(request) : size;
	struct timeval patience = { .tv_sec = grace() };
	double start = begin();
	for (unsigned i = 0; i < nconns; i++) {
		double began = now();
		int fd = connect_to(&addr, 0);
		close_with_reset(fd);
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		if (send(fd, request ? (void *)request : message, length, MSG_NOSIGNAL) != length)
			transfer_failed("send");
		ssize_t got = recv(fd, in, size, request ? 0 : MSG_WAITALL);
		if (got < 0)
			transfer_failed("recv");
		if (request)
			corrupt += got < 13 || memcmp(in, "HTTP/1.1 200 ", 13);
		else
			corrupt += got != length || memcmp(in, message, size);
		count_latency(now() - began);
	}
	print_counts((struct counts){ .ops = nconns, .seconds = now() - start, .corrupt = corrupt });
	while (read(0, in, size) > 0)
		;
	return corrupt != 0;
}
