// Keeps a search index of movies right, with nothing but a subscriber's rights on NATS.
//
//     npm install && NATS_URL=nats://user:password@host:4222 npx tsx search-index.ts [--once]
//
// It resumes where it stopped, applies each event once (by its revision), and builds the index from
// nothing by a snapshot of all cards and the events since. --once: end when no event waits.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

type Card = { tmdb_id: number; title: string; year: number | null };
type Entry = { revision: number; card: Card | null };
type Page = { cards: { revision: number; card: Card }[]; next: number | null };
const [stream, durable] = ["MOVIES_EVENTS", "search-index-typescript"];
const file = process.env.INDEX ?? "search-index.json";
const url = new URL(process.env.NATS_URL ?? "nats://127.0.0.1:4222");
const nc = await connect({
  servers: url.host,
  user: decodeURIComponent(url.username) || undefined,
  pass: decodeURIComponent(url.password) || undefined,
  inboxPrefix: process.env.NATS_INBOX_PREFIX,
});
const saved: [number, Entry][] = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [];
let index = new Map(saved);
// A removed movie stays as an entry without a card: a late event must not bring it back.
const put = (id: number, entry: Entry) => {
  if (entry.revision > (index.get(id)?.revision ?? 0)) index.set(id, entry);
};
const save = () => writeFileSync(file, JSON.stringify([...index]));
const js = { apiPrefix: process.env.NATS_JS_API_PREFIX ?? "$JS.API", checkAPI: false };
const consumers = (await jetstreamManager(nc, js)).consumers;
const isNew = await consumers.info(stream, durable).then(() => false, () => true);
const wanted = { filter_subject: "movies.changed.*", deliver_policy: DeliverPolicy.New };
const config = { durable_name: durable, ack_policy: AckPolicy.Explicit, ...wanted };
if (isNew) await consumers.add(stream, config);
if (isNew || index.size === 0) {
  index = new Map(); // the consumer was made before: no change between is lost
  for (let after: number | null = 0; after !== null;) {
    const request = JSON.stringify({ after });
    const page: Page = (await nc.request("movies.api.movie.cards", request)).json();
    page.cards.forEach(({ revision, card }) => put(card.tmdb_id, { revision, card }));
    after = page.next;
  }
  save();
}
const consumer = await jetstream(nc, js).consumers.get(stream, durable);
for (let count = 1; count > 0 || !process.argv.includes("--once");) {
  const messages = [];
  const batch = await consumer.fetch({ max_messages: 100, expires: 2000 });
  for await (const message of batch) messages.push(message);
  for (const { tmdb_id, revision, card } of messages.map((m) => m.json<Entry & Card>())) {
    put(tmdb_id, { revision, card: card ?? null });
  }
  if ((count = messages.length) > 0) save(); // before the acknowledgement: a crash repeats
  messages.forEach((m) => m.ack());
}
const movies = [...index.values()].filter((entry) => entry.card).length;
console.log(`${movies} movies, ${index.size - movies} removed`);
await nc.drain();
