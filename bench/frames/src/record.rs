//! Notifications of message records as the platform writes them: one text of a consumer.

use tertulia_core::ums::Dialect;

use crate::notification::{BORN, consumer_of, id_of_conversation};

/// The record of one text of the consumer in MAIN.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// The dialect of the receiving socket.
    pub dialect: Dialect,
    /// The number of the conversation, from 0.
    pub conversation: u32,
    /// The record's sequence in MAIN, from 0.
    pub sequence: u64,
}

impl Record {
    /// The whole frame: one record for an agent's socket, a list of one for a consumer's.
    #[must_use]
    pub fn frame(&self) -> String {
        let id = id_of_conversation(self.conversation);
        match self.dialect {
            Dialect::Brand => format!(
                r#"{{"kind":"notification","type":".ams.ms.OnlineEventDistribution","body":{}}}"#,
                self.record(&id)
            ),
            Dialect::Consumer => format!(
                r#"{{"kind":"notification","type":"ms.MessagingEventNotification","body":{{"dialogId":"{id}","conversationId":"{id}","sentTs":{},"changes":[{}]}}}}"#,
                self.time() + 40,
                self.record(&id)
            ),
        }
    }

    fn time(&self) -> u64 {
        BORN + 1_500 + self.sequence * 1_250
    }

    fn record(&self, conversation_id: &str) -> String {
        let consumer = consumer_of(self.conversation);
        let public_id = match self.dialect {
            Dialect::Brand => format!(r#""originatorPId":"{consumer}","#),
            Dialect::Consumer => String::new(),
        };
        format!(
            r#"{{"sequence":{},"originatorId":"{consumer}",{public_id}"originatorMetadata":{{"id":"{consumer}","role":"CONSUMER","clientProperties":{{"type":".ClientProperties","appId":"com.example.messenger","deviceFamily":"MOBILE","os":"ANDROID","integration":"MOBILE_SDK"}}}},"serverTimestamp":{},"event":{{"type":"ContentEvent","message":"My invoice 4711 is too high \u2014 can you check it, please? 🙏","contentType":"text/plain"}},"dialogId":"{conversation_id}","conversationId":"{conversation_id}","messageAudience":"ALL"}}"#,
            self.sequence,
            self.time(),
        )
    }
}

#[cfg(test)]
mod tests {
    use tertulia_core::id::ConversationId;

    use super::*;
    use crate::receiver::Receiver;

    #[test]
    fn every_record_is_one_message() {
        for dialect in [Dialect::Brand, Dialect::Consumer] {
            let mut receiver = Receiver::new([ConversationId::from(id_of_conversation(7))], dialect);
            for sequence in 0..4 {
                let frame = Record { dialect, conversation: 7, sequence }.frame();
                assert_eq!(receiver.receive(frame.as_bytes()), 1, "{frame}");
                assert_eq!(receiver.receive(frame.as_bytes()), 0, "the same record again: {frame}");
            }
        }
    }
}
