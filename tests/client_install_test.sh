#!/usr/bin/env bash
# Installs the client library into an empty prefix, builds the example against nothing else, and runs
# it with a server: client_install_test.sh SOURCE_DIR BUILD_DIR TOKEND CXX CXX_FLAGS
set -euo pipefail
source_dir=$1 build_dir=$2 tokend=$3 cxx=$4 cxx_flags=$5

dir=$(mktemp -d /tmp/tokend-install-XXXXXX)
server=
cleanup() {
  [ -z "$server" ] || kill "$server" 2> /dev/null || true
  wait
  rm -rf "$dir"
}
trap cleanup EXIT

cmake --install "$build_dir" --component client --prefix "$dir/prefix" > /dev/null

# The header stands alone: it names no other file of ours.
if grep -n '#include "' "$dir/prefix/include/tokend/client.h"; then
  echo "client.h includes a header that is not installed" >&2
  exit 1
fi
if grep -rn -e "$source_dir" -e "$build_dir" "$dir/prefix/lib"*/cmake; then
  echo "the package names a directory of this build" >&2
  exit 1
fi

cp -r "$source_dir/client/example" "$dir/example"
cmake -S "$dir/example" -B "$dir/build" -DCMAKE_PREFIX_PATH="$dir/prefix" \
  -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_CXX_FLAGS="-Wall -Wextra -Werror $cxx_flags" > /dev/null
cmake --build "$dir/build" > /dev/null

"$tokend" --data-dir "$dir/data" --listen off --http off > "$dir/log" 2>&1 &
server=$!
cat > "$dir/expected" << 'END'
200 alice
401 revoked
200 carol
401 unknown
END
# It cannot be reached, and then cannot say, until it is up.
deadline=$((SECONDS + 60))
until "$dir/build/example" "unix:$dir/data/tokend.sock" > "$dir/out" 2>&1 &&
  cmp -s "$dir/out" "$dir/expected"; do
  if [ $SECONDS -gt $deadline ] || ! kill -0 "$server"; then
    cat "$dir/out" "$dir/log" >&2
    exit 1
  fi
  sleep 0.05
done

# And without a server it says so.
kill "$server"
wait "$server" || true
server=
if "$dir/build/example" "unix:$dir/data/tokend.sock" 2> "$dir/err"; then exit 1; fi
grep -q '^connect: unreachable: unix:' "$dir/err"
