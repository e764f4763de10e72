//! File storage: sends and reads bytes at URLs that are signed for a minute (protocol [§5.10](crate::protocol#510)).

use std::time::Duration;

use actix_http::body::SizedStream;
use awc::{
    Client, ClientRequest, ClientResponse,
    error::{PayloadError, SendRequestError},
    http::header,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream::LocalBoxStream};
use tertulia_core::ums::SignedUrl;

use super::{
    HttpError, PlatformClient, Service,
    http::{MAX_ANSWER, address, refused, unreachable},
};

/// The response of the storage to a download, before its body is read.
pub(crate) struct StoredFile {
    pub(crate) size: Option<u64>,
    pub(crate) content: LocalBoxStream<'static, Result<Bytes, HttpError>>,
}

/// Why a file was not stored.
#[derive(Debug)]
pub(crate) enum StoreFailure<E> {
    /// The source of the bytes failed.
    Source(E),
    Storage(HttpError),
}

impl PlatformClient {
    /// Stores exactly `size` bytes.
    pub(crate) async fn store<E>(
        &self,
        url: &SignedUrl,
        size: u64,
        content: impl Stream<Item = Result<Bytes, E>> + 'static,
    ) -> Result<(), StoreFailure<E>>
    where
        E: std::error::Error + 'static,
    {
        let host = self.host(Service::Storage).await.map_err(StoreFailure::Storage)?;
        let request = self
            .signed(&host, url, Client::put)
            .map_err(StoreFailure::Storage)?
            .content_type("application/octet-stream");
        self.may_act(Service::Storage, &host).await.map_err(StoreFailure::Storage)?;
        let sent = request.send_body(SizedStream::new(size, Box::pin(content))).await;
        let mut response = match sent {
            Ok(response) => response,
            Err(SendRequestError::Body(error)) => {
                return Err(match error.downcast::<E>() {
                    Ok(error) => StoreFailure::Source(*error),
                    Err(error) => {
                        StoreFailure::Storage(unreachable(Service::Storage, &host, &SendRequestError::Body(error)))
                    }
                });
            }
            Err(error) => return Err(StoreFailure::Storage(self.storage_away(&host, &error))),
        };
        let status = response.status();
        let body = response.body().limit(MAX_ANSWER).await.unwrap_or_default();
        if status.is_success() {
            Ok(())
        } else {
            Err(StoreFailure::Storage(refused(Service::Storage, &host, &response, &body)))
        }
    }

    /// Starts to read a file.
    pub(crate) async fn stored(&self, url: &SignedUrl) -> Result<StoredFile, HttpError> {
        let host = self.host(Service::Storage).await?;
        let request = self.signed(&host, url, Client::get)?.no_decompress();
        let mut response = request.send().await.map_err(|error| self.storage_away(&host, &error))?;
        if !response.status().is_success() {
            let body = response.body().limit(MAX_ANSWER).await.unwrap_or_default();
            return Err(refused(Service::Storage, &host, &response, &body));
        }
        let size = length(&response);
        let content = response.map(move |piece| {
            piece.map_err(|error| HttpError::Unexpected {
                service: Service::Storage,
                host: host.clone(),
                detail: error.to_string(),
            })
        });
        Ok(StoredFile { size, content: content.boxed_local() })
    }

    /// How long one transfer may take.
    pub(crate) fn transfer_timeout(&self) -> Duration {
        self.platform.settings.transfer_timeout
    }

    fn signed(
        &self,
        host: &str,
        url: &SignedUrl,
        method: impl FnOnce(&Client, String) -> ClientRequest,
    ) -> Result<ClientRequest, HttpError> {
        let SignedUrl { relative_path, query_params } = url;
        let (signature, expires) = (&query_params.temp_url_sig, query_params.temp_url_expires.0);
        let path = format!("{relative_path}?temp_url_sig={signature}&temp_url_expires={expires}");
        let address = address(Service::Storage, host, &path)?;
        Ok(method(&self.http, address).timeout(self.transfer_timeout()))
    }

    fn storage_away(&self, host: &str, error: &SendRequestError) -> HttpError {
        self.forget_host(Service::Storage);
        unreachable(Service::Storage, host, error)
    }
}

fn length<S>(response: &ClientResponse<S>) -> Option<u64>
where
    S: Stream<Item = Result<Bytes, PayloadError>>,
{
    response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}
