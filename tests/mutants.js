// Prints a mutation report: each survivor, each file's score, and the score of all. Usage: node mutants.js REPORT.json ROOT
import { readFileSync } from "node:fs";
import { relative, resolve } from "node:path";

const [report, root] = process.argv.slice(2);
const { files, projectRoot = root } = JSON.parse(readFileSync(report, "utf8"));
const noticed = new Set(["Killed", "Timeout"]), missed = new Set(["Survived", "NoCoverage"]);
const line = text => text.trim().split("\n")[0];
let [allNoticed, all] = [0, 0];
const scores = [];
for (const [name, { mutants, source }] of Object.entries(files).sort(([a], [b]) => a.localeCompare(b))) {
  const path = relative(root, resolve(projectRoot, name));
  const killed = mutants.filter(m => noticed.has(m.status));
  const counted = mutants.filter(m => noticed.has(m.status) || missed.has(m.status));
  for (const mutant of counted.filter(m => missed.has(m.status)).sort((a, b) => a.location.start.line - b.location.start.line)) {
    const { line: at, column } = mutant.location.start;
    const original = source.split("\n")[at - 1].slice(column - 1);
    const untested = mutant.status === "NoCoverage" ? "  (no test)" : "";
    console.log(`${path}:${at}  ${mutant.mutatorName}: ${line(original)}  =>  ${line(mutant.replacement ?? "")}${untested}`);
  }
  if (counted.length > 0)
    scores.push(`${percent(killed.length, counted.length)}  ${killed.length} of ${counted.length}  ${path}`);
  [allNoticed, all] = [allNoticed + killed.length, all + counted.length];
}
console.log(["", ...scores, `${percent(allNoticed, all)}  ${allNoticed} of ${all} mutants noticed`].join("\n"));

function percent(part, whole) {
  return whole === 0 ? "   -  " : `${(100 * part / whole).toFixed(1).padStart(5)}%`;
}
