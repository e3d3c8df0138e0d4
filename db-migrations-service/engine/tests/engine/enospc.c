/* Stands between PostgreSQL and the kernel: while the file named by FULL_DISK_FLAG exists, nothing more can be written
 * below base/, as on a disk without room. The server's log of changes stays writable, as on a disk of its own. */
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

static int full(int fd)
{
    const char *flag = getenv("FULL_DISK_FLAG");
    char link[64], path[4096];
    if (flag == NULL || access(flag, F_OK) != 0)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strstr(path, "/base/") != NULL;
}

#define NO_ROOM(fd) if (full(fd)) { errno = ENOSPC; return -1; }
#define REAL(name) (__typeof__(&name))dlsym(RTLD_NEXT, #name)

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
