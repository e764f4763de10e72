//! `/v1/conversations/{id}/files`: upload and download of files ([CV-F16](crate::rules#cv-f16),
//! [FL-3](crate::rules#fl-3)).

use std::io;

use actix_multipart::Multipart;
use actix_web::{
    HttpResponse, get,
    http::header::{self, Charset, ContentDisposition, DispositionParam, DispositionType, ExtendedValue},
    post,
    web::{Bytes, Json, Path, Query},
};
use futures_util::{Stream, stream};
use serde::Deserialize;
use tertulia_actors::{
    core::id::{ConnectionId, ConversationId},
    files::{FileDownload, FileError, FileType},
};
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    acting::{Acting, Named, PATIENCE},
    find::{Through, find_to_look},
    form::Form,
    media_type,
    messages::Published,
};
use crate::gateway::{problem::Problem, state::Caller};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(upload).service(download);
}

/// A file to send, as a form.
#[derive(ToSchema)]
#[schema(as = FileUpload)]
#[expect(dead_code, reason = "only for the OpenAPI document")]
struct FileForm {
    /// JPG, JPEG, PNG, GIF, PDF, DOCX, PPTX or XLSX, by its name or else by its media type; at most 3 MiB.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// The file's caption.
    caption: Option<String>,
    /// The dialog; the open dialog if absent.
    dialog: Option<String>,
}

/// Uploads a file and publishes its message.
#[utoipa::path(
    operation_id = "uploadFile",
    tag = "conversations",
    params(Acting),
    request_body(content = FileForm, content_type = "multipart/form-data"),
    responses((status = 200, description = "The file was uploaded and its message published", body = Published))
)]
#[post("/conversations/{conversation}/files")]
async fn upload(caller: Caller, acting: Acting, parts: Multipart) -> Result<Json<Published>, Problem> {
    let form = Form::read(parts, &caller.state().uploads).await?;
    let done = acting.upload(form).await?;
    Ok(Json(Published { sequence: done.sequence }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DownloadQuery {
    #[param(value_type = Option<String>)]
    connection: Option<ConnectionId>,
    /// The `relativePath` from the file's message.
    path: String,
}

/// Returns a file's bytes as an attachment.
#[utoipa::path(
    operation_id = "downloadFile",
    tag = "conversations",
    params(Named, DownloadQuery),
    responses((
        status = 200,
        description = "The file",
        content_type = "application/octet-stream",
        body = String
    ))
)]
#[get("/conversations/{conversation}/files")]
async fn download(
    caller: Caller,
    id: Path<ConversationId>,
    asked: Query<DownloadQuery>,
) -> Result<HttpResponse, Problem> {
    let DownloadQuery { connection, path } = asked.into_inner();
    let handle = find_to_look(&caller, &id, Through { connection })?;
    let file = timeout(PATIENCE, handle.download_file(path)).await.unwrap_or(Err(FileError::TimedOut))?;
    let name = file.file_name();
    let content_type = FileType::of_name(name).map_or("application/octet-stream".to_owned(), media_type::of);
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, content_type))
        .insert_header((header::CONTENT_DISPOSITION, attachment(name)))
        // Whatever the file contains, no browser may treat it as a page of this service.
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    if let Some(size) = file.size() {
        response.no_chunking(size);
    }
    Ok(response.streaming(content(file)))
}

/// Makes a browser save the file under this name, whatever characters the name contains.
fn attachment(name: &str) -> ContentDisposition {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | ' ');
    let safe: String = name.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect();
    let is_same = safe == name;
    let mut parameters = vec![DispositionParam::Filename(safe)];
    if !is_same {
        let value = name.as_bytes().to_vec();
        let extended = ExtendedValue { charset: Charset::Ext("UTF-8".to_owned()), language_tag: None, value };
        parameters.push(DispositionParam::FilenameExt(extended));
    }
    ContentDisposition { disposition: DispositionType::Attachment, parameters }
}

/// The pieces of the file. An incomplete file ends in an error, so that a caller does not mistake a part for the whole.
fn content(file: FileDownload) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold((file, Some(0)), |(mut file, read)| async move {
        let read: u64 = read?;
        let size = file.size().unwrap_or(read);
        let (piece, read) = match file.next().await {
            Some(Ok(piece)) => {
                let read = read + piece.len() as u64;
                (Ok(piece), Some(read))
            }
            Some(Err(error)) => (Err(io::Error::other(error)), None),
            None if read < size => (Err(io::ErrorKind::UnexpectedEof.into()), None),
            None => return None,
        };
        Some((piece, (file, read)))
    })
}
