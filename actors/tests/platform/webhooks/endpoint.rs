//! An endpoint that receives webhooks and passes them to the test.

use std::net::TcpListener;

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    web::{self, Bytes, Data, PayloadConfig},
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// One webhook as it arrived.
#[derive(Clone)]
pub(crate) struct Post {
    pub(crate) signature: String,
    pub(crate) body: Bytes,
}

async fn take(heard: Data<UnboundedSender<Post>>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let signature = request.headers().get("x-liveperson-signature").unwrap().to_str().unwrap().to_owned();
    heard.send(Post { signature, body }).unwrap();
    HttpResponse::Ok().finish()
}

/// Returns the endpoint's address and the webhooks that it receives.
pub(crate) fn listen() -> (String, UnboundedReceiver<Post>) {
    let (sender, heard) = unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let app = move || {
        let limit = PayloadConfig::new(1024 * 1024);
        App::new().app_data(Data::new(sender.clone())).app_data(limit).default_service(web::to(take))
    };
    let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run();
    actix_web::rt::spawn(server);
    (format!("http://{address}/lp"), heard)
}
