#!/bin/sh
# Builds the image, asks it about a clip, and refuses one above 2.8 GB: make test-deploy.
#
# By Docker; where no daemon answers, by buildah (Debian's package, as root) in a chroot. What is
# given goes to the build. Without a registry the image is built over Debian itself:
#
#   debootstrap --variant=minbase --include=ca-certificates,python3-venv bookworm debian
#   base=$(buildah from scratch) && buildah add "$base" debian / && buildah commit "$base" debian-python
#   deploy/docker/check.sh --build-arg BASE=localhost/debian-python
set -eu
cd "$(dirname "$0")/../.."
most_bytes=2800000000
patience_s=300
port=${TELLTALE_PORT:-8000}
settings="--env TELLTALE_ADMIN_KEY=only-for-this-check --env TELLTALE_PORT=$port"
ask='
import io, os, httpx, numpy, soundfile
clip = io.BytesIO()
soundfile.write(clip, numpy.sin(numpy.arange(16000) / 6), 16000, format="WAV")
url = "http://127.0.0.1:" + os.environ["TELLTALE_PORT"]
httpx.get(url + "/ready").raise_for_status()
print(httpx.post(url + "/predict", files={"file": clip.getvalue()}).raise_for_status().text)'

if docker info >/dev/null 2>&1; then
  docker build --file deploy/docker/Dockerfile --tag telltale "$@" .
  size=$(docker image inspect --format '{{.Size}}' telltale)
  started=$(date +%s)
  container=$(docker run --detach --shm-size 512m $settings telltale)
  inside() { docker exec "$container" "$@"; }
  healthy() { test "$(docker inspect --format '{{.State.Health.Status}}' "$container")" = healthy; }
  end() { docker logs --tail 20 "$container"; docker rm --force "$container" >/dev/null; }
elif command -v buildah >/dev/null; then
  buildah build --isolation chroot --format docker --file deploy/docker/Dockerfile --tag telltale "$@" .
  container=$(buildah from telltale)
  size=$(du --summarize --one-file-system --block-size 1 "$(buildah mount "$container")" | cut -f 1)
  started=$(date +%s)
  # In a chroot the network is this machine's.
  run="buildah run --isolation chroot $settings --env TELLTALE_HOST=127.0.0.1 $container --"
  inside() { $run "$@"; }
  setsid $run tini -s -- telltale serve & group=$!
  healthy() { true; }
  end() { kill -s TERM -- "-$group"; wait "$group" || true; buildah rm "$container" >/dev/null; }
else
  echo "the image is not checked: there is no Docker here, and no buildah"
  exit 0
fi

trap end EXIT
until answer=$(inside python -c "$ask" 2>/dev/null) && healthy; do
  test $(($(date +%s) - started)) -lt $patience_s || { echo "no answer after $patience_s s"; exit 1; }
  sleep 1
done
echo "$answer"
echo "answered after $(($(date +%s) - started)) s; $size bytes"
test "$size" -lt $most_bytes
