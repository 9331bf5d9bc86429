/*
 * The works of files.ts by system calls alone, one after the other: what the kernel itself needs.
 * `files WORK FOLDER`
 */
#include "../worker.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As in fixture.ts. */
#define FILES 4000
#define SMALL 4096
#define LARGE (256 << 20)
#define CHUNK (128 << 10)

static const char *folder;
static unsigned written;
static char buffer[CHUNK];

static int open_in(const char *name, int flags)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, flags | O_CLOEXEC, 0666);
	if (fd < 0)
		die(path);
	return fd;
}

static const char *small(unsigned i)
{
	static char name[32];
	snprintf(name, sizeof(name), "small-%u", i % FILES);
	return name;
}

static unsigned long random_reads(double end)
{
	unsigned long ops = 0;
	int fd = open_in("large", O_RDONLY);
	do {
		for (int i = 0; i < 1024; i++, ops++)
			if (pread(fd, buffer, SMALL, (off_t)(rand() % (LARGE / SMALL)) * SMALL) != SMALL)
				die("pread");
	} while (now() < end);
	close(fd);
	return ops;
}

static unsigned long read_files(double end)
{
	unsigned long ops = 0;
	do {
		for (int i = 0; i < 256; i++, ops++) {
			struct stat st;
			int fd = open_in(small(ops), O_RDONLY);
			if (fstat(fd, &st) || read(fd, buffer, sizeof(buffer)) != SMALL)
				die("read");
			close(fd);
		}
	} while (now() < end);
	return ops;
}

static unsigned long stat_files(double end)
{
	unsigned long ops = 0;
	char path[4096];
	do {
		for (int i = 0; i < 256; i++, ops++) {
			struct stat st;
			snprintf(path, sizeof(path), "%s/%s", folder, small(ops));
			if (stat(path, &st))
				die("stat");
		}
	} while (now() < end);
	return ops;
}

static void write_file(const char *name)
{
	int fd = open_in(name, O_WRONLY | O_CREAT | O_TRUNC);
	if (write(fd, buffer, SMALL) != SMALL)
		die("write");
	close(fd);
}

static unsigned long write_files(double end)
{
	char name[32];
	do {
		for (int i = 0; i < 64; i++, written++) {
			snprintf(name, sizeof(name), "new-c-%u", written);
			write_file(name);
		}
	} while (now() < end);
	return written;
}

static unsigned long rewrite_files(double end)
{
	unsigned long ops = 0;
	do {
		for (int i = 0; i < 64; i++, ops++)
			write_file(small(ops));
	} while (now() < end);
	return ops;
}

static unsigned long sequential(double end)
{
	unsigned long ops = 0;
	do {
		int fd = open_in("large", O_RDONLY);
		while (read(fd, buffer, CHUNK) > 0)
			ops++;
		close(fd);
	} while (now() < end);
	return ops;
}

static unsigned long append_log(double end)
{
	unsigned long ops = 0;
	int fd = open_in("log-c", O_WRONLY | O_CREAT | O_APPEND);
	do {
		if (write(fd, buffer, SMALL) != SMALL || fdatasync(fd))
			die("append");
		ops++;
	} while (now() < end);
	close(fd);
	return ops;
}

static const struct {
	const char *name;
	unsigned long (*work)(double end);
} works[] = {
	{ "read", random_reads }, { "readfile", read_files },	  { "stat", stat_files },
	{ "writefile", write_files }, { "rewrite", rewrite_files }, { "sequential", sequential },
	{ "append-log", append_log },
};
static unsigned long (*chosen)(double end);

static unsigned long work(double end)
{
	return chosen(end);
}

static void remove_in(const char *name)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (unlink(path) && errno != ENOENT)
		die(path);
}

static void tidy(void)
{
	char name[32];
	for (; written > 0; written--) {
		snprintf(name, sizeof(name), "new-c-%u", written - 1);
		remove_in(name);
	}
	remove_in("log-c");
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	folder = argv[2];
	memset(buffer, 'x', sizeof(buffer));
	for (unsigned i = 0; i < sizeof(works) / sizeof(*works); i++)
		if (!strcmp(argv[1], works[i].name))
			chosen = works[i].work;
	if (!chosen)
		return 2;
	serve_rounds();
	return 0;
}
