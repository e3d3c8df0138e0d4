#!/bin/sh
# Installs what the build and the default database need of the system: only what is missing, and only where that is
# allowed (as root, or with a sudo that asks for nothing). Elsewhere it says in one sentence what to install.
#
#   scripts/needs.sh                    libclang, with which pg_query's build script reads C headers
#   scripts/needs.sh default-database   that, and PostgreSQL's server binaries unless a server is named already
#   scripts/needs.sh deploy-checks      that, and Python's venv, for the validators of deploy/
#   scripts/needs.sh test-database      that, and PostgreSQL's server binaries, and the other programs that tests start
set -eu
# Where Debian keeps servers, which not everybody looks in.
PATH=$PATH:/usr/sbin

stop() {
    echo "$*" >&2
    exit 1
}

any() {
    for file in "$@"; do
        [ -e "$file" ] && return 0
    done
    return 1
}

# The places bindgen looks in. libclang-cpp is another library.
has_libclang() {
    [ -z "${LIBCLANG_PATH:-}" ] || return 0
    for folder in /usr/lib /usr/lib64 /usr/local/lib /usr/lib/*-linux-* /usr/lib/llvm*/lib* /usr/local/opt/llvm*/lib \
        /opt/homebrew/opt/llvm*/lib /Library/Developer/CommandLineTools/usr/lib; do
        any "$folder"/libclang.so* "$folder"/libclang-[0-9]*.so* "$folder"/libclang.dylib && return 0
    done
    return 1
}

# The places `profe up` looks in.
has_postgres() {
    if [ -n "${PG_BIN:-}" ]; then
        any "$PG_BIN/initdb"
        return
    fi
    any "$(pg_config --bindir 2>/dev/null || true)/initdb" /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb \
        /usr/libexec/postgresql*/initdb /opt/homebrew/opt/postgresql@*/bin/initdb \
        /usr/local/opt/postgresql@*/bin/initdb /usr/local/pgsql/bin/initdb && return 0
    command -v initdb >/dev/null 2>&1
}

# As `profe` reads it: from the environment or `.env`, or from a file that either names.
names_a_server() {
    [ -z "${DATABASE_URL:-}${DATABASE_URL_FILE:-}" ] || return 0
    [ -z "${MIGRATION_SERVICE_MASTER_DB_URL:-}${MIGRATION_SERVICE_MASTER_DB_URL_FILE:-}" ] || return 0
    grep -Eqs '^[[:space:]]*(export[[:space:]]+)?(DATABASE_URL|MIGRATION_SERVICE_MASTER_DB_URL)(_FILE)?=.' .env
}

# Debian's own choice of LLVM, which PostgreSQL shares; where the lists do not say, the package that always exists.
libclang_package() {
    version=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9][0-9]*\)$/\1/p' | head -n 1)
    echo "${version:+libclang1-$version}" | grep . || echo libclang-dev
}

# Programs that tests run, and Debian's packages that have them.
test_programs="promtool=prometheus prometheus-alertmanager=prometheus-alertmanager redis-server=redis-server sqitch=sqitch aiosmtpd=python3-aiosmtpd chromedriver=chromium-driver pgbouncer=pgbouncer nginx=nginx-light"

# The emulator of Azure's storage, which is npm's.
azurite=azurite@3.37.0
has_azurite() {
    [ "$wanted" != test-database ] || command -v azurite-blob >/dev/null 2>&1
}

packages() {
    has_libclang || libclang_package
    case $wanted in
    test-database)
        has_postgres || echo postgresql
        for pair in $test_programs; do
            command -v "${pair%=*}" >/dev/null 2>&1 || echo "${pair#*=}"
        done
        has_azurite || command -v npm >/dev/null 2>&1 || echo npm
        ;;
    deploy-checks) python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv ;;
    default-database) names_a_server || has_postgres || echo postgresql ;;
    esac
}

wanted=${1:-}
command -v cargo >/dev/null 2>&1 || stop "Install Rust from https://rustup.rs and run this again."
command -v "${CC:-cc}" >/dev/null 2>&1 || stop "Install a C compiler (on Debian: apt-get install gcc libc6-dev) and run this again."

missing=$(packages)
[ -n "$missing" ] || ! has_azurite || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    as_root="sudo -n"
    $as_root true 2>/dev/null || as_root=none
fi

install_azurite() {
    has_azurite && return
    [ "$as_root" != none ] || stop "Install the emulator of Azure's storage and run this again: sudo npm install -g $azurite"
    echo "installing: $azurite"
    $as_root npm install -g --ignore-scripts --omit=optional --no-audit --no-fund --loglevel=error "$azurite" </dev/null
}

if [ -z "$missing" ]; then
    install_azurite
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    stop "Install what is missing with this system's package manager (Debian calls it: $(echo $missing)) and run this again."
elif [ "$as_root" = none ]; then
    stop "Install what is missing and run this again: sudo apt-get install --no-install-recommends $(echo $missing)"
fi

# Debian would make and start a cluster of its own on port 5432, which nobody asked for.
config=/etc/postgresql-common/createcluster.conf
if [ ! -e "$config" ]; then
    $as_root mkdir -p "${config%/*}"
    echo "create_main_cluster = false" | $as_root tee "$config" >/dev/null
fi

# The lists may be old or, in a container, missing; what they say decides which packages are asked for.
$as_root apt-get update -q </dev/null || echo "going on with the package lists that are there" >&2
missing=$(packages)
echo "installing: $(echo $missing)"
# Nor shall a server that a test starts for itself run on this machine: this file forbids it while packages are installed.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
    trap '$as_root rm -f "$policy"' EXIT
fi
# shellcheck disable=SC2086 # words are wanted
$as_root env DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 apt-get install -q -y --no-install-recommends \
    -o DPkg::Lock::Timeout=120 $missing </dev/null
for pair in $test_programs; do
    case " $(echo $missing) " in *" ${pair#*=} "*)
        $as_root systemctl disable --quiet "${pair#*=}" >/dev/null 2>&1 || true ;;
    esac
done
missing=$(packages)
[ -z "$missing" ] || stop "apt-get installed $(echo $missing), and still it is not found; set LIBCLANG_PATH or PG_BIN to its folder."
install_azurite
