//! `/v1/conversations`: reading conversations and acting on them.

mod acting;
mod closing;
mod commands;
mod files;
mod find;
mod form;
mod list;
mod media_type;
mod messages;
mod note;
mod one;
mod participation;
mod receipts;
mod response_time;
mod satisfaction;
mod snapshots;
mod view;

use utoipa_actix_web::service_config::ServiceConfig;

pub(super) use find::Through;

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .configure(list::routes)
        .configure(one::routes)
        .configure(messages::routes)
        .configure(files::routes)
        .configure(participation::routes)
        .configure(closing::routes)
        .configure(commands::routes)
        .configure(response_time::routes)
        .configure(satisfaction::routes)
        .configure(note::routes)
        .configure(receipts::routes)
        .configure(snapshots::routes);
}
