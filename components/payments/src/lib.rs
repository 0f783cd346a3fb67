//! The payments component. Takes payment.

use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn serve(request: Request) -> impl IntoResponse {
    spin_shell::serve(request, api::payments::handle).await
}
