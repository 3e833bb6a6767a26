#!/usr/bin/env bash
#
# Coverage-guided fuzzing of our own parsers, for a bounded time:
#
#   bash tests/SmileApi.Fuzz/fuzz.sh MINUTES [picture|upload...]
#
# Needs AFL++ (Debian, Ubuntu: apt install afl++). Each target gets its MINUTES, one after the other, all targets when none is
# named. Findings and the grown corpus stay in runs/fuzz; exit code 1 when there is a finding.

set -euo pipefail
cd "$(dirname "$0")"

minutes=${1:?MINUTES}
shift
targets=${*:-picture upload}
work=$PWD/../../runs/fuzz
program=$work/program

# The fuzzer is no debugger: it needs neither core files nor a fast clock, and must not bind itself to a core.
export AFL_SKIP_BIN_CHECK=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_SKIP_CPUFREQ=1 AFL_NO_AFFINITY=1 AFL_NO_UI=1 DOTNET_TieredPGO=0

rm -rf "$program"
dotnet tool restore >/dev/null
dotnet publish . -c Release -o "$program" -v quiet -nologo
# Ours alone: a change inside the framework is no news to the fuzzer.
dotnet sharpfuzz "$program/SmileApi.Imaging.dll"
dotnet sharpfuzz "$program/SmileApi.dll" SmileApi.Classify

status=0
for target in $targets; do
  rm -rf "$work/$target"
  dotnet "$program/SmileApi.Fuzz.dll" seeds "$target" "$work/$target/seeds"
  # -t: what takes longer than two seconds hangs. -m none: the runtime reserves more address space than it uses.
  nice -n 19 afl-fuzz -V $((minutes * 60)) -t 2000 -m none -i "$work/$target/seeds" -o "$work/$target/out" -x "$target.dict" -- \
    dotnet "$program/SmileApi.Fuzz.dll" fuzz "$target" >"$work/$target/log" 2>&1 || { tail -n 20 "$work/$target/log"; exit 1; }

  stats=$work/$target/out/default/fuzzer_stats
  count() { sed -n "s/^$1 *: *//p" "$stats"; }
  printf '%s: %s s, %s files tried, %s kept, %s of them found, coverage %s, crashes %s, hangs %s\n' "$target" \
    "$(count run_time)" "$(count execs_done)" "$(count corpus_count)" "$(count corpus_found)" "$(count bitmap_cvg)" \
    "$(count saved_crashes)" "$(count saved_hangs)"
  [ "$(count saved_crashes)" = 0 ] && [ "$(count saved_hangs)" = 0 ] || status=1
done
exit $status
