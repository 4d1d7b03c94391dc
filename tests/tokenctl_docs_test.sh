#!/usr/bin/env bash
# Runs the examples of docs/tokenctl.md in order, each with the exit code that it announces (0, or
# that of a comment "exit N"): tokenctl_docs_test.sh SOURCE_DIR TOKEND TOKENCTL
set -euo pipefail
source_dir=$1 tokend=$2 tokenctl=$3

dir=$(mktemp -d /tmp/tokend-docs-XXXXXX)
server=
cleanup() {
  [ -z "$server" ] || kill "$server" 2> /dev/null || true
  wait
  rm -rf "$dir"
}
trap cleanup EXIT

cp "$source_dir/tests/data/dumps/30_master_data2.sql.gz" "$dir/dump.sql.gz"
cp "$source_dir/tests/data/dumps/08_master_data2.sql" "$dir/dump.sql"
cp "$source_dir/tests/data/dumps/70_truncated.sql" "$dir/truncated.sql"
cp -r "$source_dir/tests/data/dumps/50_mydumper" "$dir/mydumper"
cp "$source_dir/tests/data/dumps/63_outfile_csv_optenc.csv" "$dir/tokens.csv"
cp "$source_dir/tests/data/dumps/ddl.sql" "$dir"
printf '[[namespace]]\nname = "pm_api_token"\nseal = true\n' > "$dir/tokend.toml"
(umask 077 && printf '%064d\n' 7 > "$dir/seal.keys")
"$tokend" --config "$dir/tokend.toml" --seal-key-file "$dir/seal.keys" --audit-file "$dir/audit.jsonl" --data-dir "$dir/data" --listen off \
  --http off > "$dir/log" 2>&1 &
server=$!
export TOKEND_SERVER=unix:$dir/data/tokend.sock
deadline=$((SECONDS + 60))
until "$tokenctl" stats --json 2> /dev/null | grep -q '"state":"ready"'; do
  if [ $SECONDS -gt $deadline ] || ! kill -0 "$server"; then
    cat "$dir/log" >&2
    exit 1
  fi
  sleep 0.05
done

# Each example becomes: run it, compare $?. Lines that end in a backslash go on.
awk '
  /^```/ { inside = $0 == "```sh"; next }
  !inside { next }
  {
    example = example $0 "\n"
    if ($0 ~ /\\$/) next
    code = match(example, /# exit [0-9]+/) ? substr(example, RSTART + 7, RLENGTH - 7) : 0
    shown = example; gsub(/[\\"$`]/, "\\\\&", shown); gsub(/\n/, " ", shown)
    printf "%sexpect %d $? \"%s\"\n", example, code, shown
    example = ""
    count++
  }
  END { printf "[ %d -ge 25 ]\n", count }
' "$source_dir/docs/tokenctl.md" > "$dir/examples.sh"
cat > "$dir/run.sh" << 'END'
expect() {
  if [ "$1" != "$2" ]; then
    echo "expected exit code $1, got $2: $3" >&2
    exit 1
  fi
}
END
cat "$dir/examples.sh" >> "$dir/run.sh"
cd "$dir"
PATH=$(dirname "$tokenctl"):$PATH bash run.sh
