#!/bin/sh
# Usage: DATABASE_URL=<the owner's address> backup.sh DUMPS KEYS
# Writes a dump to the directory DUMPS and a copy of the key file to the directory KEYS,
# one of each for every day of the week. They are two directories because a thief with
# both files has every code. It fails if a part fails, and leaves the older files then.
set -eu
umask 077
dumps=$1 keys=$2
day=$(date +%u)
pg_dump --format=custom --file="$dumps/giftcards-$day.new" "$DATABASE_URL"
mv "$dumps/giftcards-$day.new" "$dumps/giftcards-$day.dump"
cp "${GIFTCARDS_STATE_DIR:-/var/lib/giftcards}/keys.json" "$keys/keys-$day.new"
mv "$keys/keys-$day.new" "$keys/keys-$day.json"
