//! What the store did not keep has not happened.

use tertulia_actors::connection::ConnectionError;

use super::*;

/// The journal closes while the disk is full, so the steps that wait are not kept. Before, the disk is full for a while.
async fn close_without_keeping(tertulia: &Tertulia) {
    let journal = tertulia.journal().clone();
    timeout(PATIENCE, async {
        while journal.is_healthy() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .expect("nothing is committed");
    tokio::task::spawn_blocking(move || journal.close()).await.unwrap();
}

/// Promise 5: the next run would not know of a command that is not in the outbox, so it is not sent.
#[actix_rt::test]
async fn a_durable_command_that_was_not_kept_is_not_sent() {
    let (emulator, store) = (Emulator::start(EmulatorConfig::default()).unwrap(), store());
    let id = emulator.create_conversation(None, None);
    let run = Run::begin(&emulator, &store, never);
    run.ready().await;
    let conversation = run.taken(&id).await;
    assert!(run.tertulia.journal().settled().await);
    run.disk.is_full.store(true, Ordering::SeqCst);
    let (asked, ()) = tokio::join!(ask(&conversation, "key", "kept by nobody"), close_without_keeping(&run.tertulia));
    assert_eq!(asked.unwrap_err(), ConversationError::OutcomeUnknown { key: "key".into() });
    assert!(said(&emulator).is_empty());
    run.end().await;
}

/// WH-1: the platform sends a webhook again only if it was refused.
#[actix_rt::test]
async fn a_webhook_that_was_not_kept_is_refused() {
    let (emulator, store) = (Emulator::start(EmulatorConfig::default()).unwrap(), store());
    let app = AppCredentials { client_id: "c".to_owned(), secret: "s".into() };
    let disk = Disk::new(&store, never);
    let journal = Journal::start(Arc::clone(&disk) as Arc<dyn Store>, Retention::default()).unwrap();
    let builder = Tertulia::builder().platform(platform(&emulator)).arbiters(NonZeroUsize::MIN).journal(journal);
    let tertulia = builder.intakes([IntakeSettings::intake("hook", "12345678", app)]).start().unwrap();
    let hook = tertulia.connection(&"hook".into());
    hook.ready(PATIENCE).await.unwrap();
    assert!(tertulia.journal().settled().await);
    disk.is_full.store(true, Ordering::SeqCst);
    let (received, ()) = tokio::join!(hook.receive_notification(webhook(0)), close_without_keeping(&tertulia));
    assert!(matches!(received, Err(ConnectionError::Overloaded(_))), "{received:?}");
    tertulia.stop(PATIENCE).await;
}
