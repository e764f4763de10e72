//! The table of the class page (`actors/src/class_page.md`): no row of the page is missing, and each has its test here.

/// The members in the page's order.
const MEMBERS: &str = "appInstId assignedAgent campaignId consumer handlerAccountId note notificationCount \
    notificationIgnoredCount notificationOutOfOrderCount numberOfunreadMessages ttrEffective";
/// The methods in the page's order.
const METHODS: &str = "consumerTakeover getDialog join processStateNotification queryMessages sendMessage \
    sendPrivateMessage sendRichText setAgentNote setCsat setManualETTR setNote setTTR transfer unload \
    uploadFile";
/// The events in the page's order.
const EVENTS: &str = "dialog:close back-to-queue consumer-step-up group-change manual-ettr-change participant-added \
    participant-removed participant-suggested participant-suggested-removed transfer-agent \
    transfer-skill ttr-change";

/// Id, the page's name and the test of each row.
fn rows() -> Vec<[&'static str; 3]> {
    let table = include_str!("../../../src/class_page.md");
    let rows = table.lines().map(|line| line.split('|').map(|cell| cell.trim().trim_matches('`')).collect::<Vec<_>>());
    rows.filter(|cells| cells.len() == 6)
        .map(|cells| [link_text(cells[1]), cells[2], cells[4]])
        .filter(|[id, ..]| id.starts_with("CV-"))
        .collect()
}

/// The text of a link, or the whole text if it is not a link.
fn link_text(cell: &str) -> &str {
    cell.strip_prefix('[').and_then(|link| link.split_once(']')).map_or(cell, |(text, _)| text)
}

#[test]
fn the_table_has_every_member_method_and_event_of_the_page() {
    let expected = [("CV-M", MEMBERS), ("CV-F", METHODS), ("CV-E", EVENTS)].into_iter().flat_map(|(prefix, names)| {
        names.split_whitespace().zip(1..).map(move |(name, number)| (format!("{prefix}{number}"), name))
    });
    let told = rows().into_iter().map(|[id, name, _]| (id.to_owned(), name));
    assert_eq!(told.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[test]
fn every_row_of_the_table_is_proved_by_a_test_of_its_own() {
    let tests = [include_str!("members.rs"), include_str!("methods.rs"), include_str!("events.rs")].concat();
    for [id, name, test] in rows() {
        let prefix = format!("{}_", id.to_lowercase().replace('-', "_"));
        assert!(test.starts_with(&prefix), "{id} is proved by {test}");
        assert!(tests.contains(&format!("async fn {test}()")), "{name}: there is no test {test}");
    }
}
