// Checks captured events: node check.mjs <folder of schemas> <file of events>
//
// Each line of the file is an event, as JSON: {subject, headers, payload}. Prints a line for each
// that its schema refuses or that the SDK of CloudEvents cannot read, and one with the counts. The
// exit code is 0 where there is none.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { HTTP } from "cloudevents";

const [schemas, captured] = process.argv.slice(2);
const ajv = new Ajv2020({ strict: true, allErrors: true, formats: { int32: true, int64: true, uint: true, double: true } });
addFormats(ajv);
const validators = new Map();
for (const file of await readdir(schemas)) {
  const schema = JSON.parse(await readFile(join(schemas, file), "utf8"));
  validators.set(file.replace(/\.json$/, ""), ajv.compile(schema));
}

const events = (await readFile(captured, "utf8")).trim().split("\n").map((line) => JSON.parse(line));
const counts = {};
let wrong = 0;
const complain = (event, words) => {
  wrong += 1;
  console.log(`${event.subject}: ${words}`);
};
for (const event of events) {
  const type = event.headers["ce-type"];
  counts[type] = (counts[type] ?? 0) + 1;
  const validate = validators.get(type);
  if (!validate) complain(event, `there is no schema ${type}`);
  else if (!validate(event.payload)) complain(event, ajv.errorsText(validate.errors));
  // The NATS binding writes values percent-encoded, and has the content type as an attribute.
  const decoded = Object.entries(event.headers).map(([name, value]) => [
    name.toLowerCase(),
    name.startsWith("ce-") ? decodeURIComponent(value) : value,
  ]);
  const headers = { ...Object.fromEntries(decoded), "content-type": event.headers["ce-datacontenttype"] };
  try {
    const read = HTTP.toEvent({ headers, body: JSON.stringify(event.payload) });
    read.validate();
    const about = event.subject.split(".").at(-1);
    if (type.match(/changed|refreshed|run/) && read.subject !== about) {
      complain(event, `ce-subject is ${read.subject}`);
    }
    if (!read.source.startsWith("urn:mangoes:")) complain(event, `ce-source is ${read.source}`);
    if (JSON.stringify(read.data) !== JSON.stringify(event.payload)) complain(event, "other data");
  } catch (error) {
    complain(event, `the SDK of CloudEvents: ${error.message}`);
  }
}
console.log(`${events.length} events, ${wrong} wrong: ${JSON.stringify(counts)}`);
process.exitCode = wrong === 0 ? 0 : 1;
