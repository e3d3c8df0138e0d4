/*
 * The limit: what one libpq session needs at least.
 *
 *   limit apply CONNINFO FILE   sends every message of FILE and waits for its answer
 *   limit read CONNINFO         connects and reads the history, as whoever finds nothing to do must
 *
 * FILE holds messages as a decimal length, a line break and so many bytes. Each is one transaction with its history
 * row: BEGIN; the migration; INSERT; COMMIT. Nothing is parsed, ordered, hashed or locked here.
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void check(PGconn *conn, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fprintf(stderr, "limit: %s", PQerrorMessage(conn));
        exit(1);
    }
}

static int apply(PGconn *conn, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    double spent = 0;
    long done = 0;
    size_t length;
    while (fscanf(file, "%zu", &length) == 1 && fgetc(file) == '\n') {
        char *message = malloc(length + 1);
        if (!message || fread(message, 1, length, file) != length) {
            fprintf(stderr, "limit: %s ends early\n", path);
            return 1;
        }
        message[length] = 0;
        double begun = now_ms();
        PGresult *result = PQexec(conn, message);
        spent += now_ms() - begun;
        check(conn, result);
        PQclear(result);
        free(message);
        done++;
    }
    printf("{\"done\": %ld, \"applying_ms\": %.3f}\n", done, spent);
    return 0;
}

static int read_history(PGconn *conn)
{
    PGresult *result = PQexec(conn,
        "SELECT schema_name, version, service, name, checksum, file_hash, applied_at, id"
        " FROM migration_service.history WHERE rolled_back_at IS NULL");
    check(conn, result);
    printf("{\"done\": %d}\n", PQntuples(result));
    PQclear(result);
    return 0;
}

int main(int argc, char **argv)
{
    int applies = argc == 4 && !strcmp(argv[1], "apply");
    int reads = argc == 3 && !strcmp(argv[1], "read");
    if (!applies && !reads) {
        fprintf(stderr, "usage: limit apply CONNINFO FILE | limit read CONNINFO\n");
        return 2;
    }
    PGconn *conn = PQconnectdb(argv[2]);
    if (PQstatus(conn) != CONNECTION_OK) {
        fprintf(stderr, "limit: %s", PQerrorMessage(conn));
        return 1;
    }
    int code = applies ? apply(conn, argv[3]) : read_history(conn);
    PQfinish(conn);
    return code;
}
