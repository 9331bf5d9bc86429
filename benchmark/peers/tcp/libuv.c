/* An echo server on libuv: what node:net has under it, without the JavaScript. `libuv [PORT] [HOST]` */
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#define ROOM 65536

/* A write and the bytes it sends. */
struct answer {
	uv_write_t request;
	uv_buf_t bytes;
};

static void die(const char *what, int error)
{
	fprintf(stderr, "%s: %s\n", what, uv_strerror(error));
	exit(1);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

static void on_written(uv_write_t *request, int status)
{
	struct answer *answer = (struct answer *)request;
	(void)status;
	free(answer->bytes.base);
	free(answer);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	(void)handle;
	(void)suggested;
	*buffer = uv_buf_init(malloc(ROOM), ROOM);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
	if (got <= 0) {
		free(buffer->base);
		if (got < 0)
			uv_close((uv_handle_t *)stream, on_closed);
		return;
	}
	uv_buf_t bytes = uv_buf_init(buffer->base, got);
	/* The common case: the socket takes all at once. */
	int sent = uv_try_write(stream, &bytes, 1);
	if (sent == got) {
		free(buffer->base);
		return;
	}
	if (sent < 0 && sent != UV_EAGAIN) {
		free(buffer->base);
		uv_close((uv_handle_t *)stream, on_closed);
		return;
	}
	struct answer *answer = malloc(sizeof(*answer));
	answer->bytes = bytes;
	size_t done = sent > 0 ? sent : 0;
	uv_buf_t rest = uv_buf_init(bytes.base + done, got - done);
	if (uv_write(&answer->request, stream, &rest, 1, on_written))
		on_written(&answer->request, 0);
}

static void on_connection(uv_stream_t *server, int status)
{
	if (status < 0)
		return;
	uv_tcp_t *client = malloc(sizeof(*client));
	uv_tcp_init(server->loop, client);
	if (uv_accept(server, (uv_stream_t *)client)) {
		uv_close((uv_handle_t *)client, on_closed);
		return;
	}
	uv_tcp_nodelay(client, 1);
	uv_read_start((uv_stream_t *)client, on_room, on_read);
}

int main(int argc, char **argv)
{
	uv_loop_t *loop = uv_default_loop();
	uv_tcp_t server;
	struct sockaddr_in addr;
	int length = sizeof(addr), failed;
	const char *host = argc > 2 ? argv[2] : "127.0.0.1";
	uv_ip4_addr(host, argc > 1 ? atoi(argv[1]) : 0, &addr);
	uv_tcp_init(loop, &server);
	if ((failed = uv_tcp_bind(&server, (struct sockaddr *)&addr, 0)) ||
	    (failed = uv_listen((uv_stream_t *)&server, 4096, on_connection)))
		die("listen", failed);
	uv_tcp_getsockname(&server, (struct sockaddr *)&addr, &length);
	printf("listening on %s:%d\n", host, ntohs(addr.sin_port));
	fflush(stdout);
	return uv_run(loop, UV_RUN_DEFAULT);
}
