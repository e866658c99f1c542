// Gives an AsyncAPI document to the official parser: node check.mjs <file>
//
// Prints one line for each finding and one with the counts. The exit code is 0 when there is
// neither an error nor a warning. Notes do not count: one of them asks for the newest version of
// AsyncAPI, but the document stays with the oldest one that says what it has to say.

import { readFile } from "node:fs/promises";
import { DiagnosticSeverity, Parser } from "@asyncapi/parser";

const [file] = process.argv.slice(2);
const text = await readFile(file, "utf8");
const { document, diagnostics } = await new Parser().parse(text, { source: file });

for (const { severity, code, path, message } of diagnostics) {
  console.log(`${DiagnosticSeverity[severity]} ${code} at ${path.join("/")}: ${message}`);
}
const count = (severity) => diagnostics.filter((finding) => finding.severity === severity).length;
const errors = count(DiagnosticSeverity.Error);
const warnings = count(DiagnosticSeverity.Warning);
console.log(`${errors} errors, ${warnings} warnings`);
process.exitCode = document !== undefined && errors + warnings === 0 ? 0 : 1;
