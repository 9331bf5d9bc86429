#!/usr/bin/env bash
# Where a scenario spends its CPU time: benchmark/profile.sh SCENARIO [PEER]
set -euo pipefail
cd "$(dirname "$0")/.."
npm run --silent setup
npm run --silent build
exec node dist/benchmark/profile.js "$@"
