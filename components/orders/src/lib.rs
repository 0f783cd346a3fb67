//! The orders component. Places, shows and cancels orders.

use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn serve(request: Request) -> impl IntoResponse {
    spin_shell::serve(request, api::orders::handle).await
}
