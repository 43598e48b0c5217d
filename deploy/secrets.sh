#!/bin/sh
# Makes what deploy/compose.yaml needs and no repository may hold: the exchange's folder with its keys, passwords,
# and certificates of an authority of this machine's own. What is there already is kept, but for certificates that end
# within thirty days: they are made anew (825 days), and the services that use them are to be restarted.
#
#     deploy/secrets.sh [DIR]                      default: deploy/local, which git ignores
#     docker compose --env-file deploy/local/compose.env -f deploy/compose.yaml up --build
#
# LACOLLE   how `lacolle` is called here          (default: lacolle)
# BASE_URL  how the outside reaches the exchange  (default: https://localhost:8443)
# ORIGIN    the name of its log, for good         (default: lacolle.example/log)
set -eu
umask 077

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
folder=${1:-$here/local}
base_url=${BASE_URL:-https://localhost:8443}
mkdir -p "$folder/passwords" "$folder/tls"
folder=$(CDPATH='' cd -- "$folder" && pwd)
tls=$folder/tls
host=$(printf '%s' "$base_url" | sed -E 's#^https?://##; s#[:/].*$##')

password() { # FILE: whole or not there, so that no later run takes an empty one for a password
    [ -s "$1" ] && return
    openssl rand -hex 24 > "$1.part"
    [ -s "$1.part" ] || { echo "no password for $1: openssl rand made none" >&2; exit 1; }
    mv "$1.part" "$1"
}

quietly() { # COMMAND …: what it says is shown only where it fails
    said=$("$@" 2>&1) || { printf '%s\n' "$said" >&2; exit 1; }
}

authority() {
    [ -e "$tls/ca.pem" ] || quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 3650 \
        -subj "/CN=Lacolle of this machine" -addext "basicConstraints=critical,CA:TRUE,pathlen:0" \
        -addext "keyUsage=critical,keyCertSign,cRLSign" -keyout "$tls/ca.key" -out "$tls/ca.pem"
}

certificate() { # NAME PURPOSE [SUBJECT-ALTERNATIVE-NAMES]: one of another authority is never replaced
    if [ -s "$tls/$1.pem" ]; then
        openssl x509 -in "$tls/$1.pem" -noout -checkend 2592000 > /dev/null && return
        openssl verify -no_check_time -CAfile "$tls/ca.pem" "$tls/$1.pem" > /dev/null 2>&1 ||
            { echo "$tls/$1.pem ends soon, and is not this authority's: renew it" >&2; return; }
        echo "$tls/$1.pem ends soon, and is made anew" >&2
    fi
    { printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=%s\n' "$2"
      [ -z "${3:-}" ] || printf 'subjectAltName=%s\n' "$3"; } > "$tls/$1.ext"
    quietly openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "/CN=$1" \
        -keyout "$tls/$1.key.part" -out "$tls/$1.csr"
    quietly openssl x509 -req -in "$tls/$1.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -days 825 -extfile "$tls/$1.ext" \
        -out "$tls/$1.pem.part"
    mv "$tls/$1.key.part" "$tls/$1.key"
    mv "$tls/$1.pem.part" "$tls/$1.pem"
    rm "$tls/$1.csr" "$tls/$1.ext"
}

for name in database_owner database_exchange grafana; do
    password "$folder/passwords/$name"
done
authority
certificate server serverAuth "DNS:$host,DNS:localhost,DNS:gateway"
certificate kafka serverAuth "DNS:kafka,DNS:localhost"
for name in administrator gateway relay adapters; do
    certificate "lacolle.$name" clientAuth
done
cat "$tls/kafka.key" "$tls/kafka.pem" > "$tls/kafka.keystore.pem"

[ -e "$folder/exchange/lacolle.yaml" ] || "${LACOLLE:-lacolle}" init "$folder/exchange" \
    --host 0.0.0.0 --base-url "$base_url" --origin "${ORIGIN:-lacolle.example/log}"
# Containers run as nobody of this machine and read what they are given by group; whoever is in that group here still
# can't pass the folder's own 0700. The authority's key stays with its owner.
group=$(id -g)
[ "$(id -u)" -ne 0 ] || group=10001
[ -e "$folder/compose.env" ] || cat > "$folder/compose.env" <<ENV
LACOLLE_LOCAL=$folder
LACOLLE_GROUP=$group
KAFKA_CLUSTER_ID=$(openssl rand 16 | openssl base64 | tr '+/' 'AB' | tr -d '=')
ENV

chgrp -R "$group" "$folder/exchange" "$folder/passwords" "$tls"
chmod -R g=rX,o= "$folder/exchange" "$folder/passwords" "$tls"
chmod 700 "$folder"
chmod 600 "$tls/ca.key"
