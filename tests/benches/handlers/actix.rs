//! Actix Web: `web::Data<Arc<S>>` and `Secrets<S>`, one worker.

use crate::{App as Settings, Database, configuration, listener, shared, touch};
use actix_web::{App, HttpServer, web};
use secretfig_actix::Secrets;
use std::sync::Arc;

async fn own(database: web::Data<Arc<Database>>) -> &'static str {
    touch(&database)
}

async fn ours(Secrets(database): Secrets<Database>) -> &'static str {
    touch(&database)
}

#[actix_web::main]
pub(crate) async fn serve(secrets: bool) {
    let (config, _keeper) = configuration().await;
    let sections = secretfig_actix::sections(&config).add(|app: &Settings| &app.database);
    let configure = sections.require::<(Database,)>().unwrap();
    let own_state = web::Data::new(shared());
    let server = HttpServer::new(move || {
        if secrets {
            App::new().configure(configure.clone()).route("/", web::get().to(ours))
        } else {
            App::new().app_data(own_state.clone()).route("/", web::get().to(own))
        }
    });
    server.workers(1).disable_signals().listen(listener()).unwrap().run().await.unwrap();
}
