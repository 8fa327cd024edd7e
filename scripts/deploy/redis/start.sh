#!/bin/sh
# Starts a Redis, or a Sentinel, of three that keep the log of Stork (node/docs/engine.md):
#
#   start.sh redis|sentinel OWN_NAME NAME_OF_THE_FIRST FOLDER
#
# The first one is the master at first. Redis and Sentinel keep in FOLDER what changes after that, so it has to last.
# STORK_REDIS_PASSWORD is the password of all of them; empty: none.
set -eu
kind=$1 own=$2 first=$3 folder=$4
password=${STORK_REDIS_PASSWORD:-}
config=$folder/$kind.conf

redis_config() {
  cat <<END
port 6379
bind 0.0.0.0
protected-mode no
dir $folder
save ""
# What is answered ok is on a disk within a second, and on a replica before.
appendonly yes
appendfsync everysec
# Memory for twice --retention-bytes; where it is full, pushes are refused, and nothing is dropped.
maxmemory ${REDIS_MAXMEMORY:-0}
maxmemory-policy noeviction
# A master that has lost its replicas is the same master when they come back, and begins no new epoch.
repl-backlog-ttl 0
repl-diskless-sync-delay 0
# A master that is cut off takes no writes that would be lost.
min-replicas-to-write 1
replica-announce-ip $own
END
  [ -z "$password" ] || printf 'requirepass %s\nmasterauth %s\n' "$password" "$password"
  [ "$own" = "$first" ] || printf 'replicaof %s 6379\n' "$first"
}

sentinel_config() {
  cat <<END
port 26379
bind 0.0.0.0
protected-mode no
dir $folder
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $own
sentinel monitor stork $first 6379 2
# After so long (ms) a silent master is replaced.
sentinel down-after-milliseconds stork ${SENTINEL_DOWN_MS:-3000}
sentinel failover-timeout stork 10000
sentinel parallel-syncs stork 2
END
  [ -z "$password" ] || printf 'sentinel auth-pass stork %s\nrequirepass %s\n' "$password" "$password"
}

if [ ! -f "$config" ]; then
  # With announced names, a Sentinel cannot start before the name of the master is known.
  (umask 077 && "${kind}_config" >"$config.new")
  mv "$config.new" "$config"
fi
if [ "$kind" = sentinel ]; then
  exec redis-server "$config" --sentinel
fi
exec redis-server "$config"
