/* Stands between PostgreSQL and the kernel: while a file data-is-full (wal-is-full) is in NO_ROOM_FOLDER, nothing more can
 * be written below base/, and no new file of the log be made in pg_wal/, as on a disk without room. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int has(const char *flag)
{
    const char *folder = getenv("NO_ROOM_FOLDER");
    char path[4096];
    if (folder == NULL)
        return 0;
    snprintf(path, sizeof path, "%s/%s", folder, flag);
    return access(path, F_OK) == 0;
}

static int no_room_for(const char *path)
{
    return (strstr(path, "base/") != NULL && has("data-is-full")) || (strstr(path, "pg_wal/xlogtemp") != NULL && has("wal-is-full"));
}

static int full(int fd)
{
    char link[64], path[4096];
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length >= 0)
        path[length] = 0;
    int answer = length >= 0 && no_room_for(path);
    errno = before;
    return answer;
}

#define NO_ROOM(fd) if (full(fd)) { errno = ENOSPC; return -1; }
#define REAL(name) (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *buffer, size_t count)
{
    NO_ROOM(fd)
    return (REAL(write))(fd, buffer, count);
}

ssize_t pwrite(int fd, const void *buffer, size_t count, off_t offset)
{
    NO_ROOM(fd)
    return (REAL(pwrite))(fd, buffer, count, offset);
}

ssize_t pwrite64(int fd, const void *buffer, size_t count, off64_t offset)
{
    NO_ROOM(fd)
    return (REAL(pwrite64))(fd, buffer, count, offset);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    NO_ROOM(fd)
    return (REAL(pwritev))(fd, parts, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
    NO_ROOM(fd)
    return (REAL(pwritev64))(fd, parts, count, offset);
}

int posix_fallocate(int fd, off_t offset, off_t length)
{
    if (full(fd))
        return ENOSPC;
    return (REAL(posix_fallocate))(fd, offset, length);
}

int posix_fallocate64(int fd, off64_t offset, off64_t length)
{
    if (full(fd))
        return ENOSPC;
    return (REAL(posix_fallocate64))(fd, offset, length);
}
