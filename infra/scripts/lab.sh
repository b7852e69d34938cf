#!/bin/bash
# The lab's day: hibernate, wake, status, doctor, orphans, drain. Needs the AWS command line; drain and
# doctor also use kubectl where it is there.
# The backticks in single quotes are the query language's.
# shellcheck disable=SC2016
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
live=$here/../live/dev
project=${PROJECT:-$(sed -n 's/^project *= *"\(.*\)"/\1/p' "$live/environment.auto.tfvars")}
export AWS_DEFAULT_REGION=${AWS_DEFAULT_REGION:-ap-northeast-2} AWS_PAGER=''

die() { echo "lab: $*" >&2; exit 1; }
command -v aws >/dev/null || die "the AWS command line is not on PATH: install awscli"

# Every database node carries the project's tag; the observability machine, if there is one, too.
instances() { # STATE
  aws ec2 describe-instances --output text \
    --filters "Name=tag:Project,Values=$project" "Name=instance-state-name,Values=$1" "Name=tag:Name,Values=vm-*" \
    --query 'sort_by(Reservations[].Instances[], &Tags[?Key==`Name`]|[0].Value)[].InstanceId'
}

workers() { # DESIRED
  local group max
  for group in $(aws eks list-nodegroups --cluster-name "$project" --output text --query 'nodegroups[]' 2>/dev/null || true); do
    max=$(aws eks describe-nodegroup --cluster-name "$project" --nodegroup-name "$group" --output text --query nodegroup.scalingConfig.maxSize)
    aws eks update-nodegroup-config --cluster-name "$project" --nodegroup-name "$group" \
      --scaling-config "minSize=0,desiredSize=$1,maxSize=$max" >/dev/null
    echo "workers $group: $1"
  done
}

hibernate() {
  workers 0
  local ids id
  read -r -a ids <<<"$(instances running | tr '\t\n' '  ')"
  # Replicas first and the first node, which leads after a clean start, last.
  for ((id = ${#ids[@]} - 1; id >= 0; id--)); do
    aws ec2 stop-instances --instance-ids "${ids[id]}" >/dev/null
    echo "stopping ${ids[id]}"
    if ((id > 0)); then sleep "${PAUSE_SECONDS:-60}"; fi
  done
}

wake() {
  local ids
  read -r -a ids <<<"$(instances stopped | tr '\t\n' '  ')"
  if ((${#ids[@]} > 0)); then
    aws ec2 start-instances --instance-ids "${ids[@]}" >/dev/null
    echo "starting ${ids[*]}"
    aws ec2 wait instance-running --instance-ids "${ids[@]}"
  fi
  workers "${WORKERS:-2}"
}

status() {
  echo "machines:"
  aws ec2 describe-instances --output text --filters "Name=tag:Project,Values=$project" \
    --query 'Reservations[].Instances[].[Tags[?Key==`Name`]|[0].Value, InstanceType, State.Name, PrivateIpAddress]'
  echo "tunnels:"
  aws ec2 describe-vpn-connections --output text --filters "Name=tag:Project,Values=$project" \
    --query 'VpnConnections[].VgwTelemetry[].[OutsideIpAddress, Status, LastStatusChange]'
  echo "workers:"
  aws eks list-nodegroups --cluster-name "$project" --output text --query 'nodegroups[]' 2>/dev/null || echo "no cluster"
}

doctor() {
  local bad=0 up leaders=0 address
  check() { if [ "$1" = 0 ]; then echo "ok    $2"; else echo "FAIL  $2"; bad=1; fi; }
  up=$(aws ec2 describe-vpn-connections --output text --filters "Name=tag:Project,Values=$project" "Name=state,Values=available" \
    --query 'VpnConnections[].VgwTelemetry[].Status' | tr '\t' '\n' | grep -c '^UP$' || true)
  check "$((up == 2 ? 0 : 1))" "tunnels up: $up of 2 (with one, maintenance at AWS cuts the lab off)"
  for address in 10.0.16.10 10.0.32.10 10.0.48.10; do
    if [ "$(curl -s -m 3 -o /dev/null -w '%{http_code}' "http://$address:8008/primary" || true)" = 200 ]; then
      leaders=$((leaders + 1))
    fi
  done
  check "$((leaders == 1 ? 0 : 1))" "nodes that answer 200 on /primary: $leaders, exactly one must"
  if curl -s -m 3 -o /dev/null -X POST -H 'Content-Type: application/json' -d '{}' http://10.0.16.20:4318/v1/metrics; then
    check 0 "the collector answers behind the internal balancer"
  else
    check 1 "the collector answers behind the internal balancer"
  fi
  return "$bad"
}

# What a controller in the cluster made outlives the cluster and blocks the network's end.
orphans() {
  local found
  found=$({
    aws resourcegroupstaggingapi get-resources --output text \
      --tag-filters "Key=kubernetes.io/cluster/$project" --query 'ResourceTagMappingList[].ResourceARN'
    aws resourcegroupstaggingapi get-resources --output text \
      --tag-filters "Key=elbv2.k8s.aws/cluster,Values=$project" --query 'ResourceTagMappingList[].ResourceARN'
  } | tr '\t' '\n' | grep -v -e '^$' -e '^None$' | sort -u || true)
  if [ -z "$found" ]; then
    echo "no orphans"
    return 0
  fi
  echo "left behind by controllers, delete these before the network:"
  echo "$found"
  return 1
}

# Before compute ends: what pods asked for from AWS must go through the controllers while they live.
drain() {
  if ! command -v kubectl >/dev/null || ! kubectl --request-timeout=5s get nodes >/dev/null 2>&1; then
    echo "the cluster is not reached, nothing to drain"
    return 0
  fi
  kubectl delete ingress --all --all-namespaces --timeout=120s
  kubectl get service --all-namespaces -o json |
    python3 -c 'import json,sys
for item in json.load(sys.stdin)["items"]:
    if item["spec"].get("type") == "LoadBalancer":
        print(item["metadata"]["namespace"], item["metadata"]["name"])' |
    while read -r namespace name; do kubectl -n "$namespace" delete service "$name" --timeout=120s; done
}

case ${1:-} in
  hibernate | wake | status | doctor | orphans | drain) "$1" ;;
  *) die "usage: lab.sh hibernate | wake | status | doctor | orphans | drain" ;;
esac
