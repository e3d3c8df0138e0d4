/*
 * The limit of a fleet: the same message to many databases, so many sessions at once on each server.
 *
 *   fleet_limit FILE MESSAGE SESSIONS
 *
 * FILE holds one connection string a line, grouped by server: an empty line stands between two servers. Each database gets a
 * session of its own, one message and an end. Nothing is locked, planned, recorded or read here.
 */
#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct server {
    char **databases;
    int count, next;
    pthread_mutex_t turn;
};

static const char *message;

static void *work(void *given)
{
    struct server *server = given;
    for (;;) {
        pthread_mutex_lock(&server->turn);
        int at = server->next++;
        pthread_mutex_unlock(&server->turn);
        if (at >= server->count)
            return NULL;
        PGconn *conn = PQconnectdb(server->databases[at]);
        if (PQstatus(conn) != CONNECTION_OK) {
            fprintf(stderr, "fleet_limit: %s", PQerrorMessage(conn));
            exit(1);
        }
        PGresult *result = PQexec(conn, message);
        ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
            fprintf(stderr, "fleet_limit: %s", PQerrorMessage(conn));
            exit(1);
        }
        PQclear(result);
        PQfinish(conn);
    }
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: fleet_limit FILE MESSAGE SESSIONS\n");
        return 2;
    }
    FILE *file = fopen(argv[1], "r");
    if (!file) {
        perror(argv[1]);
        return 1;
    }
    message = argv[2];
    int sessions = atoi(argv[3]), servers = 1;
    struct server *all = calloc(16, sizeof *all);
    char line[1024];
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (!*line) {
            servers++;
            continue;
        }
        if (servers > 16) {
            fprintf(stderr, "fleet_limit: at most 16 servers\n");
            return 2;
        }
        struct server *server = &all[servers - 1];
        server->databases = realloc(server->databases, (server->count + 1) * sizeof *server->databases);
        server->databases[server->count++] = strdup(line);
    }
    fclose(file);
    pthread_t *threads = calloc(servers * sessions, sizeof *threads);
    for (int at = 0; at < servers; at++) {
        pthread_mutex_init(&all[at].turn, NULL);
        for (int session = 0; session < sessions; session++)
            pthread_create(&threads[at * sessions + session], NULL, work, &all[at]);
    }
    for (int at = 0; at < servers * sessions; at++)
        pthread_join(threads[at], NULL);
    return 0;
}
