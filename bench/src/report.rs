//! The results of runs, as a table and as JSON.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::machine::Machine;

/// All runs and their environment.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) runs: Vec<Measured>,
}

/// The results with one number of conversations.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) conversations: u32,
    pub(crate) floor: Floor,
    /// Absent if only the floor was measured.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<Run>,
}

/// The results of sockets that only count the same frames.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Floor {
    /// Frames per second when the stand-in sends as fast as possible on the same cores.
    pub(crate) notifications_per_second: f64,
    /// The processor time for each such frame, including TLS.
    pub(crate) processor_micros_per_notification: f64,
    /// Frames for each message of a consumer.
    pub(crate) notifications_per_message: f64,
}

/// The results of one run.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Run {
    pub(crate) bots: u32,
    /// From the first conversation to the last message received at the fixed rate.
    pub(crate) opening_seconds: f64,
    /// The growth of the process's memory per conversation.
    pub(crate) bytes_per_conversation: u64,
    /// Consumers' messages per second while latency was measured.
    pub(crate) paced_rate: u32,
    /// From a consumer's message in the stand-in to the subscriber, including both processes and TLS.
    pub(crate) platform_to_subscriber: Latency,
    /// From a consumer's message to a reader of the log, which has only durable events. Absent without a store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) platform_to_log: Option<Latency>,
    /// Frames per second when the stand-in sends as fast as possible on the same cores.
    pub(crate) notifications_per_second: f64,
    /// Tertulia's processor time for each such frame, including TLS and the subscriber.
    pub(crate) processor_micros_per_notification: f64,
    /// Frames for each message of a consumer.
    pub(crate) notifications_per_message: f64,
    pub(crate) commands_in_flight: u32,
    pub(crate) commands_per_second: f64,
    pub(crate) commands_failed: u64,
    /// Tertulia's processor time for each command, its answer and the resulting notifications.
    pub(crate) processor_micros_per_command: f64,
    /// From the call to the platform's confirmation.
    pub(crate) command_to_answer: Latency,
    /// Lost sockets; the results are valid only without any.
    pub(crate) reconnects: u64,
    /// Absent if no burst was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) burst: Option<Burst>,
}

/// The results of messages that were all sent before any was received.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Burst {
    pub(crate) messages: u32,
    /// From the order to send to the last message received.
    pub(crate) messages_per_second: f64,
    /// The growth of the process's memory at the end of the burst.
    pub(crate) grown_bytes: u64,
    /// Sockets that the stand-in dropped, because too many frames waited for them.
    pub(crate) reconnects: u64,
}

/// Formats a member of the results; `None` if it was not measured.
type Cell = fn(&Measured) -> Option<String>;

/// A distribution of latencies, in microseconds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) max: u64,
}

impl Latency {
    pub(crate) fn of(micros: &Histogram<u64>) -> Self {
        Self { p50: micros.value_at_quantile(0.5), p99: micros.value_at_quantile(0.99), max: micros.max() }
    }

    /// Its median, 99th percentile and maximum.
    pub(crate) fn in_milliseconds(&self) -> String {
        let [p50, p99, max] = [self.p50, self.p99, self.max].map(|micros| micros as f64 / 1_000.0);
        format!("{p50:.1} / {p99:.1} / {max:.1} ms")
    }
}

impl Report {
    /// Prints the report on standard output, as a Markdown table or as one JSON object.
    pub(crate) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            println!("{}", serde_json::to_string(self)?);
            return Ok(());
        }
        println!("{}\n", self.machine);
        let rows: [(&str, Cell); 17] = [
            ("conversations", |measured| Some(measured.conversations.to_string())),
            ("---", |_| Some("---:".to_owned())),
            ("bytes per conversation", |measured| Some(measured.run.as_ref()?.bytes_per_conversation.to_string())),
            ("notifications/s, full speed", |measured| {
                Some(format!("{:.0}", measured.run.as_ref()?.notifications_per_second))
            }),
            ("notifications/s, full speed, floor", |measured| {
                Some(format!("{:.0}", measured.floor.notifications_per_second))
            }),
            ("own processor time per notification", |measured| {
                Some(format!("{:.1} µs", measured.run.as_ref()?.processor_micros_per_notification))
            }),
            ("processor time per notification, floor", |measured| {
                Some(format!("{:.1} µs", measured.floor.processor_micros_per_notification))
            }),
            ("notifications per message", |measured| {
                Some(format!("{:.2}", measured.run.as_ref()?.notifications_per_message))
            }),
            ("notifications per message, floor", |measured| {
                Some(format!("{:.2}", measured.floor.notifications_per_message))
            }),
            ("platform to subscriber p50 / p99 / max", |measured| {
                Some(measured.run.as_ref()?.platform_to_subscriber.in_milliseconds())
            }),
            ("platform to log, durable, p50 / p99 / max", |measured| {
                Some(measured.run.as_ref()?.platform_to_log.as_ref()?.in_milliseconds())
            }),
            ("commands/s", |measured| Some(format!("{:.0}", measured.run.as_ref()?.commands_per_second))),
            ("own processor time per command", |measured| {
                Some(format!("{:.1} µs", measured.run.as_ref()?.processor_micros_per_command))
            }),
            ("command to answer p50 / p99 / max", |measured| {
                Some(measured.run.as_ref()?.command_to_answer.in_milliseconds())
            }),
            ("commands failed / reconnects", |measured| {
                let run = measured.run.as_ref()?;
                Some(format!("{} / {}", run.commands_failed, run.reconnects))
            }),
            ("burst, messages/s", |measured| {
                let burst = measured.run.as_ref()?.burst.as_ref()?;
                Some(format!("{:.0} of {}", burst.messages_per_second, burst.messages))
            }),
            ("burst, memory / reconnects", |measured| {
                let burst = measured.run.as_ref()?.burst.as_ref()?;
                Some(format!("{} MiB / {}", burst.grown_bytes >> 20, burst.reconnects))
            }),
        ];
        for (name, cell) in rows {
            let cells: Option<Vec<String>> = self.runs.iter().map(|run| Some(format!(" {} |", cell(run)?))).collect();
            if let Some(cells) = cells {
                println!("| {name} |{}", cells.concat());
            }
        }
        Ok(())
    }
}
