#!/bin/bash
# Joins the rendered on-prem files with their keys into infra/rendered/, readable by their owner alone.
# The keys never pass through Terraform's outputs.
#
#   TUNNEL_KEYS=FILE    JSON {"1": "...", "2": "..."}; without it the tunnels' secret is read from AWS
#   WIREGUARD_KEY=FILE  the gateway's private key; without it the WireGuard files keep their marks
#   RENDERED=FILE       rendered_files as JSON; without it the network stack's output is read
#   TARGET=FOLDER       where to write; infra/rendered by default
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
network=$here/../live/dev/10-network
tool=${TOOL:-$(command -v tofu || command -v terraform || true)}
umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ -n "${RENDERED:-}" ]; then
  cp "$RENDERED" "$work/files.json"
else
  [ -n "$tool" ] || { echo "render: neither tofu nor terraform is on PATH" >&2; exit 1; }
  (cd "$network" && "$tool" output -json rendered_files) >"$work/files.json"
fi
if [ -n "${TUNNEL_KEYS:-}" ]; then
  cp "$TUNNEL_KEYS" "$work/keys.json"
elif [ -z "${RENDERED:-}" ]; then
  arn=$(cd "$network" && "$tool" output -json vpn | python3 -c 'import json,sys; print(json.load(sys.stdin)["preshared_key_arn"])')
  aws secretsmanager get-secret-value --secret-id "$arn" --query SecretString --output text >"$work/keys.json"
else
  echo '{}' >"$work/keys.json"
fi
python3 "$here/render.py" "$work/files.json" "$work/keys.json" "${WIREGUARD_KEY:--}" "${TARGET:-$here/../rendered}"
