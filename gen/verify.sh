#!/bin/sh
# Proves that generated files, go.mod and the formatting are current. It generates
# into a copy, so that uncommitted work neither matters nor changes.
set -eu
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM # exit also runs the trap above

# current WHAT MEND COMMAND...: COMMAND prints a difference and fails if WHAT is not current.
stale=0
current() {
	what=$1 mend=$2
	shift 2
	"$@" >"$scratch/difference" && return
	head -n 40 "$scratch/difference"
	printf '\nverify: %s is not current; the difference begins above. Run: %s\n\n' "$what" "$mend" >&2
	stale=1
}

# Only sources are copied, so that a file that is no longer generated appears as a difference.
mkdir -p "$scratch/openapi" "$scratch/gen/api" "$scratch/gen/db"
cp Makefile sqlc.yaml "$scratch"
cp -R store "$scratch"
cp openapi/openapi.json openapi/lifecycle.json openapi/*.yaml "$scratch/openapi"
make -s -C "$scratch" generate TOOLS="$PWD/gen/tools" BIN="$PWD/bin"
for made in openapi/openapi-complete.json openapi/openapi-sdk.json openapi/openapi-sandbox.json gen/api gen/db; do
	current "$made" "make generate" diff -ru "$made" "$scratch/$made"
done

go build -o bin/withserver ./store/storetest/withserver
current docs/schema.md "make schema" bin/withserver go test -count=1 -run '^TestTheSchemaPageIsCurrent$' ./store

go -C gen/tools build -o "$PWD/bin/" ./licences
bin/licences >"$scratch/dependencies.md"
current docs/dependencies.md "make licences" diff -u docs/dependencies.md "$scratch/dependencies.md"
bin/licences -texts >"$scratch/licences.txt"
current cmd/giftcards/licences.txt "make licences" diff -u cmd/giftcards/licences.txt "$scratch/licences.txt"

for module in . gen/tools gen/tools/lint gen/tools/vuln; do
	current "$module/go.mod or go.sum" "go -C $module mod tidy" go -C "$module" mod tidy -diff
done

current "the formatting" "gofmt -w ." sh -c '! gofmt -l . | grep .'

[ $stale -ne 0 ] || echo "Generated files, go.mod and the formatting are current."
exit $stale
