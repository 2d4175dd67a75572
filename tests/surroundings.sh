# What the tests need beside a Rust toolchain, brought by whoever sources this from the top of the repository: a directory
# `$work` that goes at the end, PostgreSQL, PgBouncer, libfaketime. What is not installed is installed with apt-get where
# that is allowed.
# shellcheck shell=bash

work=$(mktemp -d "${TMPDIR:-/tmp}/longwatch-test.XXXXXX")
chmod 711 "$work"
postgres_bin=
clean_up() {
    if [ -f "$work/cluster/postmaster.pid" ]; then
        as_postgres "$postgres_bin/pg_ctl" -D "$work/cluster" -m immediate -w stop >/dev/null 2>&1 || true
    fi
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
give_up() {
    printf '%s\n' "$*" >&2
    exit 2
}

# What is missing is installed as Debian packages, if that is possible and allowed.
provide() { # provide WHAT PACKAGE…
    local what=$1 sudo=
    shift
    if [ "$(id -u)" -ne 0 ]; then sudo="sudo -n"; fi
    if ! command -v apt-get >/dev/null || ! $sudo true 2>/dev/null; then
        give_up "$what is missing: install the packages $* (Debian's names) and run this again."
    fi
    say "installing $*"
    if ! timeout 900 $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >"$work/apt.log" 2>&1; then
        timeout 300 $sudo apt-get update >>"$work/apt.log" 2>&1 || true
        timeout 900 $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >>"$work/apt.log" 2>&1 ||
            { tail -n 20 "$work/apt.log" >&2; give_up "$what is missing, and apt-get could not install $*."; }
    fi
}

# PostgreSQL refuses to run as root.
as_postgres() {
    if [ "$(id -u)" -eq 0 ]; then
        local user=nobody
        if id postgres >/dev/null 2>&1; then user=postgres; fi
        (cd / && exec setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$@")
    else
        "$@"
    fi
}

find_postgres() {
    local newest
    newest=$(find /usr/lib/postgresql -maxdepth 3 -name initdb 2>/dev/null | sort -V | tail -n 1 || true)
    if [ -z "$newest" ]; then newest=$(command -v initdb || true); fi
    if [ -n "$newest" ]; then postgres_bin=$(dirname "$newest"); fi
}

start_postgres() {
    if [ -n "${LONGWATCH_TEST_POSTGRES:-}" ]; then return; fi
    find_postgres
    if [ -z "$postgres_bin" ]; then
        provide PostgreSQL postgresql
        find_postgres
    fi
    mkdir -m 700 "$work/cluster"
    if [ "$(id -u)" -eq 0 ]; then
        if id postgres >/dev/null 2>&1; then chown postgres "$work/cluster"; else chown nobody "$work/cluster"; fi
    fi
    as_postgres "$postgres_bin/initdb" -D "$work/cluster" --username=longwatch --auth=trust --encoding=UTF8 --locale=C \
        >"$work/initdb.log" 2>&1 || { cat "$work/initdb.log" >&2; give_up "PostgreSQL: initdb failed."; }
    local port attempt
    for attempt in 1 2 3 4 5 6 7 8; do
        port=$((20000 + RANDOM % 30000))
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then continue; fi
        if as_postgres "$postgres_bin/pg_ctl" -D "$work/cluster" -l "$work/cluster/log" -w -t 60 \
            -o "-p $port -k $work/cluster -c listen_addresses=127.0.0.1 -c max_connections=200 -c fsync=on" \
            start >/dev/null 2>&1; then
            export LONGWATCH_TEST_POSTGRES="postgres://longwatch@127.0.0.1:$port/postgres"
            return
        fi
    done
    tail -n 20 "$work/cluster/log" >&2 || true
    give_up "PostgreSQL did not start after $attempt attempts."
}

# Debian keeps it outside of most users' PATH.
find_pooler() {
    if [ -z "${LONGWATCH_TEST_PGBOUNCER:-}" ]; then
        LONGWATCH_TEST_PGBOUNCER=$(PATH=$PATH:/usr/sbin command -v pgbouncer || true)
    fi
    export LONGWATCH_TEST_PGBOUNCER
}

provide_pooler() {
    find_pooler
    if [ -z "$LONGWATCH_TEST_PGBOUNCER" ]; then
        provide PgBouncer pgbouncer
        find_pooler
    fi
}

find_clock() {
    local library
    for library in "${LONGWATCH_TEST_FAKETIME:-}" /usr/lib/*/faketime/libfaketimeMT.so.1 /usr/local/lib/faketime/libfaketimeMT.so.1; do
        if [ -f "$library" ]; then
            export LONGWATCH_TEST_FAKETIME=$library
            return
        fi
    done
    LONGWATCH_TEST_FAKETIME=
}

provide_clock() {
    find_clock
    if [ -z "$LONGWATCH_TEST_FAKETIME" ]; then
        provide libfaketime faketime
        find_clock
    fi
}
