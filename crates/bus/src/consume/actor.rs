//! The supervised life of a pull loop.
//!
//! A broker that is away, or that lost its store, ends no actor: the loop begins again, and creates
//! the topology first. On drain the loop stops pulling, waits for what is in flight
//! and ends.

use std::sync::Arc;

use delivery::Handler;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::ChildSpec;

use super::{
    args::{Consumer, ConsumerArgs},
    handler::Typed,
    pull::pull_loop,
};

struct ConsumerActor;

/// The loop has ended: the service drains.
#[derive(Debug)]
struct Ended;

/// The child that runs this consumer.
pub fn consumer_child(handler: impl Handler, args: ConsumerArgs) -> ChildSpec {
    let durable = handler.durable();
    let consumer = Consumer { handler: Arc::new(Typed(Arc::new(handler))), args };
    ChildSpec::actor(durable, || ConsumerActor, consumer)
}

impl Actor for ConsumerActor {
    type Msg = Ended;
    type State = ();
    type Arguments = Consumer;

    async fn pre_start(
        &self,
        myself: ActorRef<Ended>,
        consumer: Consumer,
    ) -> Result<(), ActorProcessingErr> {
        let work = tokio::spawn(pull_loop(consumer));
        tokio::spawn(async move {
            match work.await {
                // The actor may have ended before its loop: then nobody waits for this.
                Ok(()) => {
                    let _ = myself.cast(Ended);
                }
                // It panicked. The actor ends, and its root starts it again.
                Err(e) => myself.stop(Some(format!("the pull loop stopped unexpectedly: {e}"))),
            }
        });
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Ended>,
        Ended: Ended,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        myself.stop(Some("drained".to_owned()));
        Ok(())
    }
}
