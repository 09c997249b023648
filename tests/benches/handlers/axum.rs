//! axum: `State<Arc<S>>` and `Secrets<S>`, each out of a state of one field.

use crate::{Database, configuration, listener, shared, touch};
use axum::extract::{FromRef, State};
use axum::{Router, routing::get};
use secretfig::Section;
use secretfig_axum::Secrets;
use std::sync::Arc;

#[derive(Clone, FromRef)]
struct Own {
    database: Arc<Database>,
}

#[derive(Clone, FromRef)]
struct Ours {
    database: Section<Database>,
}

async fn own(State(database): State<Arc<Database>>) -> &'static str {
    touch(&database)
}

async fn ours(Secrets(database): Secrets<Database>) -> &'static str {
    touch(&database)
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn serve(secrets: bool) {
    let (config, _keeper) = configuration().await;
    let router: Router = if secrets {
        Router::new().route("/", get(ours)).with_state(Ours { database: config.section(|app| &app.database) })
    } else {
        Router::new().route("/", get(own)).with_state(Own { database: shared() })
    };
    let listener = tokio::net::TcpListener::from_std(listener()).unwrap();
    axum::serve(listener, router).await.unwrap();
}
