"""Keeps a search index of movies right, with nothing but a subscriber's rights on NATS.

    pip install nats-py
    NATS_URL=nats://user:password@host:4222 python search_index.py [--once]

It resumes where it stopped, applies each event once (by its revision), and builds the index from
nothing by a snapshot of all cards and the events since. --once: end when no event waits.
"""
import asyncio, json, os, sqlite3, sys
import nats
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

STREAM, DURABLE, CHANGES = "MOVIES_EVENTS", "search-index-python", "movies.changed.*"
PUT = """insert into movie values (?, ?, ?) on conflict (tmdb_id) do update
    set revision = excluded.revision, title = excluded.title where excluded.revision > revision"""

def put(db, tmdb_id, revision, card):
    """A removed movie stays as a row without a title: a late event must not bring it back."""
    db.execute(PUT, (tmdb_id, revision, card and card["title"]))

async def snapshot(nc, db):
    """All cards, page by page. The consumer was made before: no change between is lost."""
    db.execute("delete from movie")
    page = {"next": 0}
    while page["next"] is not None:
        request = json.dumps({"after": page["next"]}).encode()
        page = json.loads((await nc.request("movies.api.movie.cards", request, timeout=10)).data)
        for row in page["cards"]:
            put(db, row["card"]["tmdb_id"], row["revision"], row["card"])

async def main():
    db = sqlite3.connect(os.environ.get("INDEX", "search-index.db"))
    db.execute("create table if not exists movie (tmdb_id primary key, revision, title)")
    inbox = os.environ.get("NATS_INBOX_PREFIX", "_INBOX").encode()
    nc = await nats.connect(os.environ["NATS_URL"], inbox_prefix=inbox)
    js = nc.jetstream(prefix=os.environ.get("NATS_JS_API_PREFIX", "$JS.API"))
    known = await asyncio.gather(js.consumer_info(STREAM, DURABLE), return_exceptions=True)
    config = ConsumerConfig(deliver_policy=DeliverPolicy.NEW)
    events = await js.pull_subscribe(CHANGES, DURABLE, stream=STREAM, config=config)
    if isinstance(known[0], NotFoundError) or not db.execute("select 1 from movie").fetchone():
        await snapshot(nc, db)
    messages = True
    while messages or "--once" not in sys.argv:
        messages = []
        try:
            messages = await events.fetch(100, timeout=2)
        except nats.errors.TimeoutError:
            pass
        for event in (json.loads(message.data) for message in messages):
            put(db, event["tmdb_id"], event["revision"], event.get("card"))
        db.commit()  # before the acknowledgement: a crash between them repeats, and loses nothing
        for message in messages:
            await message.ack()
    counts = "select count(title) || ' movies, ' || sum(title is null) || ' removed' from movie"
    print(*db.execute(counts).fetchone())
    await nc.drain()

asyncio.run(main())
