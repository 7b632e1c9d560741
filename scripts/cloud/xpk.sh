#!/usr/bin/env bash
# Trains on TPU slices in GKE through xpk, which makes the JobSet itself:
#   PROJECT=p ZONE=z CLUSTER=c IMAGE=i BUCKET=b scripts/cloud/xpk.sh
# Before that, create the slices and mount the bucket:
#   xpk cluster create --tpu-type=$TPU --num-slices=$SLICES --spot
#   xpk storage attach bucket --type=gcsfuse --auto-mount=true --mount-point=/bucket --bucket=$BUCKET
set -euo pipefail
: "${PROJECT:?}" "${ZONE:?}" "${CLUSTER:?}" "${IMAGE:?}" "${BUCKET:?}"
exec xpk workload create --workload="${NAME:-vdiff}" --project="$PROJECT" --zone="$ZONE" --cluster="$CLUSTER" \
  --tpu-type="${TPU:-v5litepod-8}" --num-slices="${SLICES:-1}" --docker-image="$IMAGE" \
  --max-restarts=100 --restart-on-exit-codes=75 \
  --command="python -m vdiff_jax.train --config ${CONFIG:-configs/base.toml} --data ${DATA:-gs://$BUCKET/footage} --workdir ${WORKDIR:-/bucket/runs/base} --resume"
