//! Calls of the endpoints in this process, for a caller that was admitted with another request.
//!
//! Each worker has the endpoints a second time, without the listener. A call passes through the same middleware as a
//! request of a client: the check of its scope, the choice of the node, the log and the metrics. It does not count
//! against the limits of its caller, because the request that caused it has.

use std::{net::SocketAddr, rc::Rc, sync::Arc};

use actix_http::Request;
use actix_service::{IntoServiceFactory as _, Service as _, ServiceFactory as _, boxed};
use actix_web::{
    App, Error, HttpMessage as _, HttpRequest,
    body::{BoxBody, to_bytes_limited},
    dev::{AppConfig, Payload, ServiceResponse},
    http::{
        Method, Uri, Version,
        header::{self, HeaderName, HeaderValue},
    },
    middleware::from_fn,
    web::{self, Data},
};
use tokio::{sync::OnceCell, time::timeout};
use utoipa_actix_web::{AppExt as _, service_config::ServiceConfig};

use crate::{
    config::Scope,
    gateway::{
        access::Holder,
        admission::Admitted,
        openapi::{self, Document},
        problem::{self, Problem},
        request::{self, REQUEST_ID, RequestId},
        state::{Caller, State},
    },
    mcp::{Answer, Call, Interface, LARGEST_ANSWER, Unanswered, WITHIN},
};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

type Endpoints = boxed::RcService<Request, ServiceResponse<BoxBody>, Error>;

/// The endpoints of one worker, made when the first call needs them.
#[derive(Clone)]
pub(in crate::gateway) struct Inner {
    routes: fn(&mut ServiceConfig<'_>),
    made: Rc<OnceCell<Endpoints>>,
}

impl Inner {
    pub(in crate::gateway) fn new(routes: fn(&mut ServiceConfig<'_>)) -> Self {
        Self { routes, made: Rc::default() }
    }

    async fn endpoints(&self, state: &Data<State>, document: &Data<Document>) -> Result<Endpoints, Problem> {
        let make = || async {
            let app = App::new().app_data(state.clone()).app_data(document.clone());
            let app = app.wrap(from_fn(problem::tell)).wrap(from_fn(request::accompany));
            let app =
                app.into_utoipa_app().configure(self.routes).default_service(web::to(openapi::elsewhere)).into_app();
            let service = app.into_factory().new_service(AppConfig::default()).await?;
            Ok::<_, ()>(boxed::rc_service(service))
        };
        self.made.get_or_try_init(make).await.cloned().map_err(|()| Problem::stopping())
    }
}

/// The endpoints, called by one caller.
pub(super) struct Within {
    endpoints: Endpoints,
    holder: Arc<Holder>,
    /// The id of the request that causes the calls, which is the id of the calls too.
    id: Option<HeaderValue>,
    /// The address of the caller.
    peer: Option<SocketAddr>,
}

impl Within {
    /// The endpoints for the caller of `request`.
    ///
    /// # Errors
    /// The listener of `request` has no endpoints for models.
    pub(super) async fn of(request: &HttpRequest, caller: &Caller) -> Result<Self, Problem> {
        let parts = request.app_data::<Inner>().zip(request.app_data::<Data<Document>>());
        let (inner, document) = parts.ok_or_else(|| Problem::not_found("no resource has this path"))?;
        let endpoints = inner.endpoints(caller.state(), document).await?;
        let id = request.extensions().get::<RequestId>().map(|id| id.value().clone());
        Ok(Self { endpoints, holder: Arc::clone(caller.holder()), id, peer: request.peer_addr() })
    }

    /// The request of a call; `None` if its path or key cannot be in a request.
    fn request(&self, call: Call) -> Option<Request> {
        let body = call.acting.as_ref().map(|acting| web::Bytes::from(acting.body.to_string()));
        let mut request = Request::with_payload(body.map_or(Payload::None, Payload::from));
        let head = request.head_mut();
        // Heads are reused, and these members still have the values of an earlier request.
        head.method = if call.acting.is_some() { Method::POST } else { Method::GET };
        head.uri = call.path.parse::<Uri>().ok()?;
        head.version = Version::HTTP_11;
        head.peer_addr = self.peer;
        if let Some(acting) = &call.acting {
            head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            head.headers.insert(KEY, HeaderValue::from_str(&acting.key).ok()?);
        }
        if let Some(id) = &self.id {
            head.headers.insert(REQUEST_ID, id.clone());
        }
        request.extensions_mut().insert(Arc::clone(&self.holder));
        request.extensions_mut().insert(Admitted);
        Some(request)
    }
}

impl Interface for Within {
    async fn call(&self, call: Call) -> Result<Answer, Unanswered> {
        let refused = || Unanswered::NotSent("the arguments cannot be in a request".to_owned());
        let request = self.request(call).ok_or_else(refused)?;
        let answering = async {
            let failed = |_| Unanswered::NoAnswer("the request failed inside the service".to_owned());
            let response = self.endpoints.call(request).await.map_err(failed)?;
            let status = response.status().as_u16();
            let body =
                to_bytes_limited(response.into_body(), LARGEST_ANSWER).await.map_err(|_| Unanswered::TooLarge)?;
            let body = body.map_err(|error| Unanswered::NoAnswer(error.to_string()))?;
            Ok(Answer::new(status, &body))
        };
        let late = || Unanswered::NoAnswer(format!("it took more than {} s", WITHIN.as_secs()));
        timeout(WITHIN, answering).await.unwrap_or_else(|_| Err(late()))
    }

    fn may_act(&self) -> bool {
        self.holder.scope >= Scope::Write
    }
}
