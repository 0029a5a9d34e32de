#!/bin/sh
# Builds the image, waits until it is healthy, and refuses one above 2.8 GB: make test-deploy.
set -eu
cd "$(dirname "$0")/../.."
command -v docker >/dev/null || { echo "the image is not checked: there is no Docker here"; exit 0; }
docker build --file deploy/docker/Dockerfile --tag telltale .
started=$(date +%s)
container=$(docker run --detach --shm-size 512m --env TELLTALE_ADMIN_KEY=only-for-this-check telltale)
trap 'docker rm --force "$container" >/dev/null' EXIT
until [ "$(docker inspect --format '{{.State.Health.Status}}' "$container")" = healthy ]; do
  if [ $(($(date +%s) - started)) -gt 300 ]; then
    docker logs "$container"
    exit 1
  fi
  sleep 2
done
size=$(docker image inspect --format '{{.Size}}' telltale)
echo "healthy after $(($(date +%s) - started)) s; $size bytes"
test "$size" -lt 2800000000
