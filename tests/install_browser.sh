#!/usr/bin/env bash
# Chromium and its driver for the browser tests, from Debian's packages; says so and goes on where it can't.
set -euo pipefail
if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then
  exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "browser tests will be skipped: chromium and chromedriver are missing, and only root with apt-get can install them" >&2
  exit 0
fi
if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
  chromium chromium-driver fonts-dejavu-core fonts-liberation; } >/dev/null 2>&1; then
  echo "browser tests will be skipped: apt-get could not install chromium and chromium-driver" >&2
fi
