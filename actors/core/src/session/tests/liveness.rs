//! Keep-alives, and platforms that stop responding.

use super::*;

#[test]
fn a_keep_alive_is_sent_every_ten_seconds() {
    let mut driver = Driver::ready();
    let sent = driver.live_for(seconds(100)).into_iter().filter(|output| *output == Output::SendKeepAlive).count();
    assert_eq!(sent, 10);
    assert_eq!(driver.phase(), Phase::Ready);
}

#[test]
fn keep_alives_are_sent_while_a_long_resume_goes_on() {
    let mut driver = Driver::in_phase(Phase::Resuming);
    assert_eq!(driver.wake(), (seconds(10), vec![Output::SendKeepAlive]));
}

#[test]
fn a_peer_that_answers_nothing_is_given_up_after_twenty_five_seconds() {
    let mut driver = Driver::ready();
    let begin = driver.now;
    assert_eq!(driver.wake().1, [Output::SendKeepAlive]);
    assert_eq!(driver.wake().1, [Output::SendKeepAlive]);
    let closure = Closure { by: ClosedBy::Us, code: Some(ABANDONED) };
    let outputs = driver.wake().1;
    assert_eq!(driver.now.since(begin), seconds(25));
    assert_eq!(
        outputs[..2],
        [
            Output::CloseSocket { code: ABANDONED },
            Output::Report(Report::Disconnected(closure, DisconnectReason::DeadPeer))
        ]
    );
    assert_eq!(driver.wake().1, [Output::Report(Report::Connecting), Output::OpenSocket], "the token is kept");
}

#[test]
fn any_frame_is_a_sign_of_life() {
    let mut driver = Driver::ready();
    driver.wake();
    driver.wake();
    driver.feed(Input::FrameReceived);
    driver.wake();
    driver.wake();
    assert_eq!(driver.phase(), Phase::Ready);
}

#[test]
fn our_own_standstill_is_not_taken_for_a_dead_peer() {
    let mut driver = Driver::ready();
    driver.pass(seconds(600));
    let outputs = driver.feed(Input::Tick);
    assert!(outputs.contains(&Output::SendKeepAlive));
    assert_eq!(driver.phase(), Phase::Ready);
    driver.pass(seconds(9));
    driver.feed(Input::Tick);
    assert_eq!(driver.phase(), Phase::Ready);
    driver.pass(seconds(1));
    driver.feed(Input::Tick);
    assert_eq!(driver.phase(), Phase::WaitingToReconnect, "one keep-alive had its time");
}
