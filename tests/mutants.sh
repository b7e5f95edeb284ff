# shellcheck shell=bash disable=SC2154
# Sourced by ./metaopt mutants: changes the code a little, one change after the other, and says which changes no test notices.

mutants_usage() {
  cat <<'TEXT'
Usage: ./metaopt mutants [AREA [FILE..]]

Makes small wrong changes (mutants) and runs the tests that reach them; prints each that no test notices, and the share that is.
  AREA   domain, storage, worker, api or scripts; without one, the files that changed since the merge base with main
  FILE   only these, as patterns: Evaluation/Statistics.cs, 'Training/*.cs'

The whole of an area takes hours; name files. It runs at the lowest priority. docs/testing.md says more.
TEXT
}

# area_of FILE: which area a file of the repository belongs to, if any.
area_of() {
  case $1 in
    src/Domain/*.cs) echo domain ;;
    src/Storage/*.cs) echo storage ;;
    src/Worker/*.cs) echo worker ;;
    src/Api/*.cs) echo api ;;
    src/Api/wwwroot/app/*.js) echo scripts ;;
  esac
}

changed_files() {
  local base
  base=$(git -C "$root" merge-base HEAD main 2>/dev/null) || base=HEAD
  { git -C "$root" diff --name-only --diff-filter=d "$base"; git -C "$root" ls-files --others --exclude-standard; } | sort -u
}

# mutate AREA [FILE..]: one run of Stryker and what it found.
mutate() {
  local area=$1 config report folder arguments=() file output=$root/artifacts/mutants/$1
  shift
  for file in "$@"; do arguments+=(--mutate "**/${file#src/*/}"); done
  rm -rf "$output"
  case $area in
    scripts)
      [[ -e $root/tests/Dashboard.Tests/stryker.conf.json ]] || die "The dashboard's scripts have no mutation tests here."
      [[ -d $root/tests/Dashboard.Tests/node_modules/@stryker-mutator ]] || in_npm_folder "$root/tests/Dashboard.Tests" ci
      arguments=()
      for file in "$@"; do arguments+=(--mutate "src/Api/wwwroot/app/${file##*/}"); done
      report=$root/reports/mutation/mutation.json
      (cd "$root" && nice -n 19 tests/Dashboard.Tests/node_modules/.bin/stryker run tests/Dashboard.Tests/stryker.conf.json \
        --reporters json,progress "${arguments[@]}") || return 1
      mkdir -p "$output" && mv "$report" "$output/mutation.json" && rm -rf "${report%/*}" && report=$output/mutation.json ;;
    *)
      folder=$root/tests/Service.Tests config=stryker-$area.json report=$output/reports/mutation-report.json
      [[ $area != domain ]] || folder=$root/tests/Domain.Tests config=stryker-config.json
      (cd "$root" && dotnet tool restore >/dev/null) || die "The tool dotnet-stryker could not be restored."
      (cd "$folder" && RunAnalyzers=false nice -n 19 dotnet stryker -f "$config" --output "$output" "${arguments[@]}") ||
        return 1 ;;
  esac
  node "$root/tests/mutants.js" "$report" "$root"
}

run_mutants() {
  local area=${1:-} file status=0
  local -A changed=()
  case $area in
    domain | storage | worker | api | scripts) mutate "$@" || status=1 ;;
    '')
      while read -r file; do
        area=$(area_of "$file")
        [[ -z $area ]] || changed[$area]+="$file "
      done < <(changed_files)
      [[ ${#changed[@]} -gt 0 ]] || die "No file of an area changed since the merge base with main; name an area."
      for area in "${!changed[@]}"; do
        printf '\n== %s: %s\n' "$area" "${changed[$area]}"
        # shellcheck disable=SC2086
        mutate "$area" ${changed[$area]} || status=1
      done ;;
    *) die "Unknown area \"$area\"; choose domain, storage, worker, api or scripts." ;;
  esac
  return "$status"
}
