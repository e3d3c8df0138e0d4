#!/bin/sh
# What stands before the platform's parts start in compose.yaml: the schema, the development school, and the secrets by which the
# parts know one another. Secrets are made once and kept in the folder SECRETS; what runs again changes nothing that fits.
set -eu
umask 077
secrets=${SECRETS:-/var/lib/profe}
server=${DATABASE_URL#*@} # where the services find the same database

secret() { # NAME: the secret of that name, made up where there is none
    [ -s "$secrets/$1" ] || od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$secrets/$1"
    cat "$secrets/$1"
}

profe migrate run
profe seeds run

for role in auth_service users_service organizations_service; do
    password=$(secret "$role.password")
    echo "ALTER ROLE $role PASSWORD '$password';" | psql --quiet --no-psqlrc -v ON_ERROR_STOP=1 "$DATABASE_URL"
    echo "postgresql://$role:$password@$server" >"$secrets/$role.url"
done
secret jwt-secret >/dev/null

# With it the services ask the migration service whether their schemas are there.
if [ ! -s "$secrets/release.token" ]; then
    token=$(profe token create --name services --scopes release --output json)
    echo "$token" | sed -n 's/^ *"token": "\(.*\)"$/\1/p' >"$secrets/release.token"
fi
