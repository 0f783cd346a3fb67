//! The inventory component. Shows and adjusts stock; health, readiness, and the 404 for unknown paths.

use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn serve(request: Request) -> impl IntoResponse {
    spin_shell::serve(request, api::inventory::handle).await
}
