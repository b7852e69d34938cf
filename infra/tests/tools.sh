#!/bin/bash
# Brings the tools of the offline proof. Sourced by the Makefile's recipes as `tools.sh NAME`: prints
# the path of what was asked for. Everything is pinned; what is built or fetched lies outside the tree.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/skybridge
mkdir -p "$cache"

say() { echo "tools: $*" >&2; }
die() { say "$*"; exit 1; }

# One builder at a time: two runs must not write the same file.
locked() { exec 9>"$cache/.lock-$1"; flock 9; }

need() {
  command -v "$1" >/dev/null || die "$1 is missing: $2"
}

# Debian packages by name; installed only where one is missing.
packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  [ "$(id -u)" = 0 ] || die "missing packages, and only root can install them: ${missing[*]}"
  locked apt
  # Daemons must not start by being installed: the beds start their own.
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    made=1
  fi
  say "installing ${missing[*]}"
  local failed=
  { DEBIAN_FRONTEND=noninteractive apt-get -qq update &&
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}"; } \
    </dev/null >"$cache/apt.log" 2>&1 || failed=1
  [ -z "$made" ] || rm -f "$policy"
  [ -z "$failed" ] || { tail -20 "$cache/apt.log" >&2; die "apt-get failed for ${missing[*]}"; }
}

# The key of a tool is the digest of what pins it.
key_of() { cat "$@" | sha256sum | cut -c1-16; }

tofu() {
  need go "install Go 1.26 or newer"
  local target
  target=$cache/tofu-$(key_of "$here/tofu/go.mod" "$here/tofu/go.sum")
  locked tofu
  if [ ! -x "$target" ]; then
    say "building OpenTofu, once; this takes minutes"
    (cd "$here/tofu" && go build -p "${GO_JOBS:-2}" -trimpath -ldflags '-s -w' -o "$target.part" github.com/opentofu/opentofu/cmd/tofu) >&2
    mv "$target.part" "$target"
  fi
  echo "$target"
}

package() {
  command -v npm >/dev/null || packages npm
  local name version target
  name=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["package"])' "$here/schema/pin.json")
  version=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["version"])' "$here/schema/pin.json")
  target=$cache/schema-$(key_of "$here/schema/pin.json").tgz
  locked package
  if [ ! -f "$target" ]; then
    say "fetching the npm package $name $version"
    local folder
    folder=$(mktemp -d "$cache/npm.XXXXXX")
    (cd "$folder" && npm pack --silent "$name@$version" >/dev/null </dev/null)
    # The digest is checked by the proof each time the file is read.
    mv "$folder"/*.tgz "$target"
    rmdir "$folder"
  fi
  echo "$target"
}

# A Python environment per list of pinned packages.
venv() {
  local list=$here/$1 target
  packages python3-venv
  target=$cache/venv-$(basename "$1" .txt)-$(key_of "$list")
  locked "venv-$(basename "$1" .txt)"
  if [ ! -f "$target/.ready" ]; then
    say "making the Python environment for $1"
    rm -rf "$target"
    # The distribution's own Python: others may lie where a bed's user cannot read.
    /usr/bin/python3 -m venv "$target"
    "$target/bin/pip" install --quiet --disable-pip-version-check --no-input -r "$list" >&2 </dev/null
    touch "$target/.ready"
  fi
  echo "$target"
}

# cloud-init is unpacked and never installed: its services would act on the machine at its next boot.
cloud_init() {
  local target=$cache/cloud-init
  packages python3-yaml python3-jsonschema python3-jinja2 python3-configobj python3-oauthlib python3-jsonpatch python3-requests python3-serial python3-netifaces
  locked cloud-init
  if [ ! -f "$target/.ready" ]; then
    say "fetching Debian's cloud-init"
    rm -rf "$target"
    mkdir -p "$target"
    (cd "$target" && { apt-get -qq -o APT::Sandbox::User=root download cloud-init || { apt-get -qq update && apt-get -qq -o APT::Sandbox::User=root download cloud-init; }; } >&2 </dev/null && dpkg-deb -x ./*.deb root)
    touch "$target/.ready"
  fi
  echo "$target/root"
}

case ${1:-} in
  tofu | package | cloud_init) "$1" ;;
  venv) venv "$2" ;;
  packages) shift; packages "$@" ;;
  *) die "usage: tools.sh tofu | package | cloud_init | venv LIST | packages NAME..." ;;
esac
