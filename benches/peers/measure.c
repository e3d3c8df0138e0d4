/*
 * measure DESCRIPTOR COMMAND [ARGUMENT…]: runs a command and writes one line of JSON to a file descriptor: wall time from
 * fork to exit, processor time, greatest resident size, exit code.
 *
 * A program of its own because Linux counts the memory that a process had before exec into its greatest size: started
 * from Python, nothing would seem smaller than Python. The JSON also has this program's own size, below which nothing
 * can be measured.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static double ms(struct timeval t)
{
    return t.tv_sec * 1e3 + t.tv_usec / 1e3;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    int out = atoi(argv[1]);
    double begun = now_ms();
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        return 2;
    }
    if (child == 0) {
        close(out);
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    int status;
    struct rusage use, own;
    wait4(child, &status, 0, &use);
    double ended = now_ms();
    getrusage(RUSAGE_SELF, &own);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    dprintf(out, "{\"wall_ms\": %.3f, \"cpu_ms\": %.3f, \"rss_kib\": %ld, \"floor_kib\": %ld, \"code\": %d}\n", ended - begun,
            ms(use.ru_utime) + ms(use.ru_stime), use.ru_maxrss, own.ru_maxrss, code);
    return code;
}
