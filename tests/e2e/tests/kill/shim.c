/* Counts what a process changes below one folder, and at one of these operations kills it or
 * lets the operation fail. Loaded with LD_PRELOAD; the environment says what to do:
 *
 *   KILL_FOLDER  the folder, absolute; without it nothing happens
 *   KILL_LOG     a file outside it that gets one line per operation: its number, call and path
 *   KILL_AT      number of the operation, 1 for the first; 0 for none
 *   KILL_MODE    before | after: SIGKILL there; or an errno: the operation fails so, once; or an errno
 *                and milliseconds, 28+500: so do all operations that follow within that time
 *   KILL_ONLY    where operations fail for some time: those alone whose line in the log has this text
 *   KILL_THEN    SIGKILL after the first operation since then whose line in the log has this text
 *   KILL_TRACE   a file outside it that gets one line per operation that went well, in their exact
 *                order: call, path, other path, offset, data in hex; separated by tabs
 *
 * An operation is a call that changes the disk or makes a change durable: open for writing, write,
 * ftruncate, fsync, fdatasync, rename, link, symlink, unlink, rmdir, mkdir. Calls that are made
 * past libc are not seen.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static char folder[PATH_MAX];
static size_t folder_length;
static int log_file = -1;
static int trace_file = -1;
static long at;
static enum { NOTHING, BEFORE, AFTER, FAIL } mode;
static int failure;
static long lasting;
static const char *only;
static const char *then;
static struct timespec since;
static pid_t own;
static long count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void start(void)
{
	const char *text = getenv("KILL_FOLDER");
	if (text == NULL || strlen(text) >= sizeof folder)
		return;
	if ((text = getenv("KILL_LOG")) != NULL)
		log_file = (int)syscall(SYS_openat, AT_FDCWD, text,
					O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if ((text = getenv("KILL_TRACE")) != NULL)
		trace_file = (int)syscall(SYS_openat, AT_FDCWD, text,
					  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if ((text = getenv("KILL_AT")) != NULL)
		at = atol(text);
	if ((text = getenv("KILL_MODE")) != NULL) {
		failure = atoi(text);
		lasting = strchr(text, '+') != NULL ? atol(strchr(text, '+')) : 0;
		mode = failure > 0                  ? FAIL
		       : strcmp(text, "before") == 0 ? BEFORE
		       : strcmp(text, "after") == 0  ? AFTER
						     : NOTHING;
	}
	only = getenv("KILL_ONLY");
	then = getenv("KILL_THEN");
	own = getpid();
	strcpy(folder, getenv("KILL_FOLDER"));
	folder_length = strlen(folder);
}

static void die(void)
{
	syscall(SYS_kill, own, SIGKILL);
	for (;;)
		pause();
}

static int is_below(const char *path)
{
	return strncmp(path, folder, folder_length) == 0 && path[folder_length] == '/';
}

/* Fills in the absolute path of a name that is relative to dir; whether it is below the folder. */
static int locate(int dir, const char *name, char *path)
{
	char link[64];
	ssize_t length = 0;

	if (folder_length == 0 || getpid() != own)
		return 0;
	if (name[0] != '/') {
		if (dir == AT_FDCWD)
			strcpy(link, "/proc/self/cwd");
		else
			snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
		length = readlink(link, path, PATH_MAX - 1);
		if (length < 0 || (size_t)length + strlen(name) + 2 > PATH_MAX)
			return 0;
		path[length] = '\0';
		if (name[0] != '\0')
			path[length++] = '/';
	}
	if ((size_t)length + strlen(name) + 1 > PATH_MAX)
		return 0;
	strcpy(path + length, name);
	return is_below(path);
}

/* Whether the failure that began goes on. */
static int fails_still(void)
{
	struct timespec now;

	if (count == at)
		clock_gettime(CLOCK_MONOTONIC, &since);
	if (count <= at || mode != FAIL || lasting == 0 || at == 0)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - since.tv_sec) * 1000 + (now.tv_nsec - since.tv_nsec) / 1000000 < lasting;
}

/* One operation comes; 1 if it is the one, 2 if it is to fail, 3 if it is the last. */
static int arrive(const char *call, const char *path)
{
	char line[PATH_MAX + 64];
	int length, one, last;

	pthread_mutex_lock(&lock);
	one = ++count == at;
	length = snprintf(line, sizeof line, "%ld %s %s\n", count, call, path + folder_length + 1);
	one |= fails_still() && (only == NULL || strstr(line, only) != NULL);
	last = !one && at != 0 && count > at && then != NULL && strstr(line, then) != NULL;
	if (log_file >= 0)
		(void)!syscall(SYS_write, log_file, line, (size_t)length);
	/* Others wait at the lock, so that nothing is done after the last operation, and so that a
	 * trace tells them in their order. */
	if (one && mode == BEFORE)
		die();
	if (!last && !(one && mode == AFTER) && trace_file < 0)
		pthread_mutex_unlock(&lock);
	return last ? 3 : one && mode == FAIL ? 2 : one;
}

static void leave(int one)
{
	if (one == 3 || (one == 1 && mode == AFTER))
		die();
}

/* What an operation is done with. */
struct detail {
	const char *from; /* the other path of rename and link; the target of a symlink */
	long offset;      /* of a write; the length of ftruncate; the flags of open */
	const struct iovec *parts;
	int n;
};

static void trace(const char *call, const char *path, const struct detail *detail, long result)
{
	static const char digits[] = "0123456789abcdef";
	static char line[1 << 22]; /* under the lock */
	long left = result;
	size_t length;

	length = (size_t)snprintf(line, sizeof line, "%s\t%s\t%s\t%ld\t", call,
				  path + folder_length + 1,
				  detail->from != NULL ? detail->from : "", detail->offset);
	for (int i = 0; i < detail->n && left > 0; i++) {
		const unsigned char *bytes = detail->parts[i].iov_base;
		for (size_t at = 0; at < detail->parts[i].iov_len && left > 0; at++, left--) {
			if (length + 3 > sizeof line)
				abort();
			line[length++] = digits[bytes[at] >> 4];
			line[length++] = digits[bytes[at] & 15];
		}
	}
	line[length++] = '\n';
	(void)!syscall(SYS_write, trace_file, line, length);
}

/* Where a write goes. */
static long position(int file)
{
	struct stat data;

	if ((fcntl(file, F_GETFL) & O_APPEND) != 0)
		return fstat(file, &data) == 0 ? (long)data.st_size : 0;
	return (long)lseek(file, 0, SEEK_CUR);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define GUARD(dir, path, call, expression, ...)                     \
	do {                                                        \
		char where[PATH_MAX], other[PATH_MAX];              \
		int one = 0, ours, kept = errno;                    \
		struct detail detail = {0};                         \
		struct iovec part;                                  \
		(void)part, (void)other;                            \
		if ((ours = locate(dir, path, where)))              \
			one = arrive(call, where);                  \
		if (ours && trace_file >= 0) {                      \
			__VA_ARGS__;                                \
		}                                                   \
		errno = kept;                                       \
		if (one == 2) {                                     \
			errno = failure;                            \
			return -1;                                  \
		}                                                   \
		__typeof__(expression) result = expression;         \
		leave(one);                                         \
		if (ours && trace_file >= 0) {                      \
			kept = errno;                               \
			if (result >= 0)                            \
				trace(call, where, &detail, result); \
			pthread_mutex_unlock(&lock);                \
			errno = kept;                               \
		}                                                   \
		return result;                                      \
	} while (0)

#define FROM(dir, path)                       \
	locate(dir, path, other);             \
	detail.from = other + folder_length + 1

#define DATA(start, size)                                                  \
	part = (struct iovec){(void *)(start), (size)};                    \
	detail.parts = &part;                                              \
	detail.n = 1

#define WRITES(flags) (((flags) & O_ACCMODE) != O_RDONLY || ((flags) & (O_CREAT | O_TRUNC)) != 0)

#define OPEN_MODE(flags)                                  \
	mode_t bits = 0;                                  \
	if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {     \
		va_list rest;                             \
		va_start(rest, flags);                    \
		bits = va_arg(rest, mode_t);              \
		va_end(rest);                             \
	}

int open(const char *path, int flags, ...)
{
	OPEN_MODE(flags)
	if (!WRITES(flags))
		return REAL(open)(path, flags, bits);
	GUARD(AT_FDCWD, path, "open", REAL(open)(path, flags, bits), detail.offset = flags);
}

int open64(const char *path, int flags, ...)
{
	OPEN_MODE(flags)
	if (!WRITES(flags))
		return REAL(open64)(path, flags, bits);
	GUARD(AT_FDCWD, path, "open", REAL(open64)(path, flags, bits), detail.offset = flags);
}

int openat(int dir, const char *path, int flags, ...)
{
	OPEN_MODE(flags)
	if (!WRITES(flags))
		return REAL(openat)(dir, path, flags, bits);
	GUARD(dir, path, "open", REAL(openat)(dir, path, flags, bits), detail.offset = flags);
}

int openat64(int dir, const char *path, int flags, ...)
{
	OPEN_MODE(flags)
	if (!WRITES(flags))
		return REAL(openat64)(dir, path, flags, bits);
	GUARD(dir, path, "open", REAL(openat64)(dir, path, flags, bits), detail.offset = flags);
}

ssize_t write(int file, const void *data, size_t size)
{
	GUARD(file, "", "write", REAL(write)(file, data, size), detail.offset = position(file);
	      DATA(data, size));
}

ssize_t writev(int file, const struct iovec *parts, int n)
{
	GUARD(file, "", "write", REAL(writev)(file, parts, n), detail.offset = position(file);
	      detail.parts = parts; detail.n = n);
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t offset)
{
	GUARD(file, "", "write", REAL(pwrite64)(file, data, size, offset), detail.offset = offset;
	      DATA(data, size));
}

int ftruncate64(int file, off64_t size)
{
	GUARD(file, "", "ftruncate", REAL(ftruncate64)(file, size), detail.offset = size);
}

int fsync(int file)
{
	GUARD(file, "", "fsync", REAL(fsync)(file), );
}

int fdatasync(int file)
{
	GUARD(file, "", "fdatasync", REAL(fdatasync)(file), );
}

int rename(const char *from, const char *to)
{
	GUARD(AT_FDCWD, to, "rename", REAL(rename)(from, to), FROM(AT_FDCWD, from));
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	GUARD(to_dir, to, "rename", REAL(renameat)(from_dir, from, to_dir, to), FROM(from_dir, from));
}

int link(const char *from, const char *to)
{
	GUARD(AT_FDCWD, to, "link", REAL(link)(from, to), FROM(AT_FDCWD, from));
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	GUARD(to_dir, to, "link", REAL(linkat)(from_dir, from, to_dir, to, flags),
	      FROM(from_dir, from));
}

int symlink(const char *target, const char *path)
{
	GUARD(AT_FDCWD, path, "symlink", REAL(symlink)(target, path), detail.from = target);
}

int unlink(const char *path)
{
	GUARD(AT_FDCWD, path, "unlink", REAL(unlink)(path), );
}

int unlinkat(int dir, const char *path, int flags)
{
	GUARD(dir, path, "unlink", REAL(unlinkat)(dir, path, flags), );
}

int rmdir(const char *path)
{
	GUARD(AT_FDCWD, path, "rmdir", REAL(rmdir)(path), );
}

int mkdir(const char *path, mode_t bits)
{
	GUARD(AT_FDCWD, path, "mkdir", REAL(mkdir)(path, bits), );
}

int mkdirat(int dir, const char *path, mode_t bits)
{
	GUARD(dir, path, "mkdir", REAL(mkdirat)(dir, path, bits), );
}
