/* The peer: a UDP echo server in C on liburing, one multishot recvmsg into provided buffers. `udp-uring [port]` */
#include <arpa/inet.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BUFFERS 1024
#define BUFFER_SIZE 2048
#define GROUP 1
#define RECEIVE UINT64_MAX

static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static unsigned char *memory;
static struct msghdr shape = { .msg_namelen = sizeof(struct sockaddr_in) };
static int fd;

static struct io_uring_sqe *entry(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	if (!sqe) {
		io_uring_submit(&ring);
		sqe = io_uring_get_sqe(&ring);
	}
	return sqe;
}

static void receive(void)
{
	struct io_uring_sqe *sqe = entry();
	io_uring_prep_recvmsg_multishot(sqe, fd, &shape, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	io_uring_sqe_set_data64(sqe, RECEIVE);
}

static void give_back(unsigned id)
{
	int mask = io_uring_buf_ring_mask(BUFFERS);
	io_uring_buf_ring_add(buffers, memory + id * BUFFER_SIZE, BUFFER_SIZE, id, mask, 0);
	io_uring_buf_ring_advance(buffers, 1);
}

static void echo(struct io_uring_cqe *cqe)
{
	unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	struct io_uring_recvmsg_out *out =
		io_uring_recvmsg_validate(memory + id * BUFFER_SIZE, cqe->res, &shape);
	if (!out) {
		give_back(id);
		return;
	}
	struct io_uring_sqe *sqe = entry();
	io_uring_prep_send(sqe, fd, io_uring_recvmsg_payload(out, &shape),
			   io_uring_recvmsg_payload_length(out, cqe->res, &shape), 0);
	sqe->addr2 = (unsigned long)io_uring_recvmsg_name(out);
	sqe->addr_len = out->namelen;
	io_uring_sqe_set_data64(sqe, id);
}

int main(int argc, char **argv)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
		.cq_entries = 8192,
	};
	if (io_uring_queue_init_params(2048, &ring, &params))
		return 1;
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 7002) };
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	socklen_t length = sizeof(addr);
	int room = 1 << 22;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if (bind(fd, (void *)&addr, sizeof(addr)) || getsockname(fd, (void *)&addr, &length))
		return 1;
	memory = aligned_alloc(4096, BUFFERS * BUFFER_SIZE);
	struct io_uring_buf_reg reg = { .ring_entries = BUFFERS, .bgid = GROUP };
	if (posix_memalign((void **)&buffers, 4096, BUFFERS * sizeof(struct io_uring_buf)))
		return 1;
	reg.ring_addr = (unsigned long)buffers;
	if (io_uring_register_buf_ring(&ring, &reg, 0))
		return 1;
	io_uring_buf_ring_init(buffers);
	for (unsigned id = 0; id < BUFFERS; id++)
		give_back(id);
	printf("listening on 127.0.0.1:%d\n", ntohs(addr.sin_port));
	fflush(stdout);
	receive();
	for (;;) {
		struct io_uring_cqe *cqe;
		unsigned head, seen = 0;
		io_uring_submit_and_wait(&ring, 1);
		io_uring_for_each_cqe(&ring, head, cqe) {
			seen++;
			if (io_uring_cqe_get_data64(cqe) != RECEIVE) {
				give_back(io_uring_cqe_get_data64(cqe));
				continue;
			}
			if (cqe->flags & IORING_CQE_F_BUFFER)
				echo(cqe);
			if (!(cqe->flags & IORING_CQE_F_MORE))
				receive();
		}
		io_uring_cq_advance(&ring, seen);
	}
}
